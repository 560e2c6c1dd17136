package io.leapnbd.donor.tls;

import io.netty.buffer.ByteBufAllocator;
import io.netty.channel.Channel;
import io.netty.channel.ChannelFuture;
import io.netty.handler.ssl.ClientAuth;
import io.netty.handler.ssl.OpenSsl;
import io.netty.handler.ssl.ReferenceCountedOpenSslEngine;
import io.netty.handler.ssl.SslContext;
import io.netty.handler.ssl.SslContextBuilder;
import io.netty.handler.ssl.SslHandler;
import io.netty.handler.ssl.SslProvider;
import io.netty.internal.tcnative.SSL;
import io.netty.util.ReferenceCountUtil;
import java.io.IOException;
import java.net.Socket;
import java.security.GeneralSecurityException;
import java.security.SecureRandom;
import java.security.cert.CertificateException;
import java.security.cert.X509Certificate;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Set;
import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import javax.net.ssl.KeyManager;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLEngine;
import javax.net.ssl.SSLException;
import javax.net.ssl.SSLPeerUnverifiedException;
import javax.net.ssl.SSLSession;
import javax.net.ssl.SSLSocket;
import javax.net.ssl.TrustManager;

/**
 * TLS 1.3 for links, with certificates of one pool on both sides. A donor is its server, a server its client. No session is ever
 * resumed, so every connection shows its certificates. Any thread.
 *
 * <p>Certificates are looked at by a thread of its own: that takes a millisecond or two, in which a loop would answer nobody. The thread is started
 * at once, as there may be no memory for one later.
 */
public final class LinkTls implements AutoCloseable {

    /** Handshakes that wait for that thread; the next one fails. */
    private static final int WAITING = 1024;

    private static final String PROTOCOL = "TLSv1.3";

    /** What is used for new connections. */
    private record Use(PoolName own, Instant ends, SslContext context, LinkCredentials credentials, PoolTrust trust) {}

    /** A link that is there. */
    private record Shown(List<X509Certificate> chain, Runnable cut) {}

    private final Role role;
    private final LinkProtection protection;
    private final SecureRandom random = new SecureRandom();
    private final Set<Shown> links = ConcurrentHashMap.newKeySet();
    private final ThreadPoolExecutor verifier;

    /** Written under this object's lock, under which contexts are used too: one that is given back is not to be used. */
    private volatile Use use;

    /** Likewise. */
    private volatile int rereads;

    private LinkTls(Role role, LinkProtection protection, Use use) {
        this.role = role;
        this.protection = protection;
        this.use = use;
        verifier = new ThreadPoolExecutor(
                1,
                1,
                1,
                TimeUnit.SECONDS,
                new ArrayBlockingQueue<>(WAITING),
                task -> Thread.ofPlatform().daemon().name("link-certificates").unstarted(task));
        verifier.prestartAllCoreThreads();
        if (protection == LinkProtection.AUTH) {
            // The first keys of a process take a tenth of a second. A loop has no time for that.
            verifier.execute(() -> {
                FrameKeys _ = FrameKeys.of(drawShare(), drawShare());
            });
        }
    }

    /**
     * For the donor's end of links.
     *
     * @throws IOException in one sentence, if these are not a donor's credentials, or of no use
     */
    public static LinkTls donor(LinkCredentials credentials) throws IOException {
        return donor(credentials, LinkProtection.AUTH);
    }

    /**
     * For the donor's end of links.
     *
     * @param protection the least that it takes of links over TCP
     * @throws IOException in one sentence, if these are not a donor's credentials, or of no use
     */
    public static LinkTls donor(LinkCredentials credentials, LinkProtection protection) throws IOException {
        return new LinkTls(Role.DONOR, protection, of(credentials, Role.DONOR));
    }

    /**
     * For the server's end of links.
     *
     * @throws IOException in one sentence, if these are not a server's credentials, or of no use
     */
    public static LinkTls server(LinkCredentials credentials) throws IOException {
        return server(credentials, LinkProtection.TLS);
    }

    /**
     * For the server's end of links.
     *
     * @param protection what it asks for of links over TCP
     * @throws IOException in one sentence, if these are not a server's credentials, or of no use
     */
    public static LinkTls server(LinkCredentials credentials, LinkProtection protection) throws IOException {
        return new LinkTls(Role.SERVER, protection, of(credentials, Role.SERVER));
    }

    /**
     * When it ends.
     *
     * @param make what to make when it has
     * @throws IOException if it has ended or has not begun
     */
    private static Instant inItsTime(X509Certificate certificate, String which, String make) throws IOException {
        Instant now = Instant.now();
        Instant begins = certificate.getNotBefore().toInstant();
        if (now.isBefore(begins)) {
            throw new IOException(which + " " + PoolTrust.notBegun(begins));
        }
        Instant ends = certificate.getNotAfter().toInstant();
        if (now.isAfter(ends)) {
            throw new IOException(which + " has ended: it ended at " + PoolTrust.second(ends) + ", and here it is "
                    + PoolTrust.second(now) + "; make " + make);
        }
        return ends;
    }

    private static Use of(LinkCredentials credentials, Role role) throws IOException {
        if (!OpenSsl.isAvailable()) {
            throw new IOException("TLS cannot be used: its library does not load on this machine: "
                    + OpenSsl.unavailabilityCause().getMessage());
        }
        X509Certificate certificate = credentials.own();
        PoolName name;
        try {
            name = PoolName.of(certificate);
        } catch (CertificateException e) {
            throw new IOException("the certificate of this " + role.label() + " " + e.getMessage(), e);
        }
        if (name.role() != role) {
            throw new IOException("the certificate is that of a " + name.role().label() + ", and this is a "
                    + role.label() + "; use the files that 'leap-nbd pool add' made");
        }
        Instant ends =
                inItsTime(certificate, "the certificate of " + name.name(), "a new one with 'leap-nbd pool add'");
        for (X509Certificate authority : credentials.authorities()) {
            Instant its = inItsTime(
                    authority, "the certificate of the pool's authority", "a new pool with 'leap-nbd pool create'");
            ends = its.isBefore(ends) ? its : ends;
        }
        try {
            PoolTrust trust = new PoolTrust(
                    credentials.authorities(), credentials.revoked(), role == Role.DONOR ? Role.SERVER : Role.DONOR);
            X509Certificate[] chain = credentials.chain().toArray(new X509Certificate[0]);
            SslContextBuilder builder = role == Role.DONOR
                    ? SslContextBuilder.forServer(credentials.key(), chain).clientAuth(ClientAuth.REQUIRE)
                    : SslContextBuilder.forClient()
                            .keyManager(credentials.key(), chain)
                            .endpointIdentificationAlgorithm(null);
            SslContext context = builder.sslProvider(SslProvider.OPENSSL_REFCNT)
                    .trustManager(trust)
                    .protocols(PROTOCOL)
                    .build();
            return new Use(name, ends, context, credentials, trust);
        } catch (GeneralSecurityException | SSLException | IllegalArgumentException e) {
            throw new IOException("the certificates cannot be used: " + e.getMessage(), e);
        }
    }

    /** Whose certificate this end shows. */
    public PoolName own() {
        return use.own();
    }

    /** What this end shows. */
    public X509Certificate certificate() {
        return use.credentials().own();
    }

    /** How frames of links over TCP go on after the handshake: what a server asks for, or the least that a donor takes. */
    public LinkProtection protection() {
        return protection;
    }

    /** Draws this end's part of a link's {@link FrameKeys}. */
    public byte[] drawShare() {
        byte[] share = new byte[FrameKeys.SHARE];
        random.nextBytes(share);
        return share;
    }

    /** When its certificate ends, or that of the authority if that is sooner. Connections that are open then stay open. */
    public Instant ends() {
        return use.ends();
    }

    /**
     * For one connection, on its loop.
     *
     * @param handshakeTimeout for the whole handshake
     */
    public SslHandler handler(ByteBufAllocator allocator, Duration handshakeTimeout) {
        SslHandler handler;
        synchronized (this) {
            handler = use.context().newHandler(allocator, verifier);
        }
        withoutTickets(handler.engine());
        handler.setHandshakeTimeoutMillis(handshakeTimeout.toMillis());
        handler.handshakeFuture().addListener(done -> {
            if (done.isSuccess()) {
                Channel channel = handler.handshakeFuture().getNow();
                Runnable end = watch(handler.engine().getSession(), () -> {
                    ChannelFuture _ = channel.close();
                });
                channel.closeFuture().addListener(closed -> end.run());
            }
        });
        return handler;
    }

    /**
     * For one link over a transport of messages, before the handshake.
     *
     * @param mostBytes of the longest message, before it is encrypted
     * @throws IOException if there is no memory for its buffers
     */
    public MessageTls messages(int mostBytes) throws IOException {
        SSLEngine engine;
        synchronized (this) {
            engine = use.context().newEngine(ByteBufAllocator.DEFAULT);
        }
        withoutTickets(engine);
        return new MessageTls(engine, verifier, mostBytes);
    }

    /**
     * Keeps a link in mind whose peer has shown who it is.
     *
     * @param cut ends the link, if its peer is not believed any more; on any thread, perhaps at once
     * @return to be run when the link has ended
     */
    public Runnable watch(SSLSession session, Runnable cut) {
        List<X509Certificate> chain;
        try {
            chain = Stream.of(session.getPeerCertificates())
                    .map(X509Certificate.class::cast)
                    .toList();
        } catch (SSLPeerUnverifiedException e) {
            chain = List.of();
        }
        Shown shown = new Shown(chain, cut);
        boolean _ = links.add(shown);
        if (rereads > 0) {
            // Its handshake may have begun before.
            try {
                verifier.execute(() -> {
                    boolean _ = check(shown);
                });
            } catch (RejectedExecutionException e) {
                cut.run();
            }
        }
        return () -> {
            boolean _ = links.remove(shown);
        };
    }

    private boolean check(Shown shown) {
        boolean believed =
                !shown.chain().isEmpty() && use.trust().believes(shown.chain().toArray(new X509Certificate[0]));
        if (!believed) {
            shown.cut().run();
        }
        return believed;
    }

    /** Files that were read, and are not in use yet. */
    public final class Reread {

        private final Use fresh;

        private Reread(Use fresh) {
            this.fresh = fresh;
        }

        /** Uses them for new connections, and ends those whose peers are not believed any more; returns how many. */
        public int use() {
            Use before;
            synchronized (LinkTls.this) {
                before = use;
                use = fresh;
                rereads = rereads + 1;
            }
            boolean _ = ReferenceCountUtil.release(before.context());
            int cut = 0;
            for (Shown link : links) {
                cut += check(link) ? 0 : 1;
            }
            return cut;
        }

        /** Forgets them. */
        public void discard() {
            boolean _ = ReferenceCountUtil.release(fresh.context());
        }
    }

    /**
     * Looks at credentials that were read again; nothing changes yet.
     *
     * @throws IOException in one sentence, if they are of no use, or another machine's
     */
    public Reread reread(LinkCredentials credentials) throws IOException {
        Use fresh = of(credentials, role);
        if (!fresh.own().name().equals(own().name())) {
            boolean _ = ReferenceCountUtil.release(fresh.context());
            throw new IOException("the certificate is that of '" + fresh.own().name() + "' now, and this process is '"
                    + own().name() + "'; restart it to make it the other one");
        }
        return new Reread(fresh);
    }

    /** Who has a ticket could come back without a certificate, also past its end. Turning off the context's cache would not do: tickets need none. */
    private static void withoutTickets(SSLEngine engine) {
        if (!(engine instanceof ReferenceCountedOpenSslEngine open)) {
            throw new IllegalStateException("links need OpenSSL's engine, and this is " + engine.getClass());
        }
        SSL.setOptions(open.sslPointer(), SSL.SSL_OP_NO_TICKET);
    }

    /**
     * A server's end of a connection that may block, before the handshake.
     *
     * @param socket that is connected; it is closed with what is returned
     */
    public SSLSocket over(Socket socket) throws IOException {
        Use now = use;
        SSLContext blocking;
        try {
            blocking = SSLContext.getInstance(PROTOCOL);
            blocking.init(new KeyManager[] {new OwnKey(now.credentials())}, new TrustManager[] {now.trust()}, null);
        } catch (GeneralSecurityException e) {
            throw new IOException("this Java has no TLS 1.3: " + e.getMessage(), e);
        }
        // A context of its own for each, so there is no session that could be resumed.
        SSLSocket secured =
                (SSLSocket) blocking.getSocketFactory().createSocket(socket, (String) null, socket.getPort(), true);
        secured.setUseClientMode(true);
        secured.setEnabledProtocols(new String[] {PROTOCOL});
        return secured;
    }

    /**
     * Who the peer of a connection is, after the handshake.
     *
     * @throws SSLException if it has not shown who it is
     */
    public static PoolName peer(SSLSession session) throws SSLException {
        try {
            if (session.getPeerCertificates()[0] instanceof X509Certificate its) {
                return PoolName.of(its);
            }
        } catch (CertificateException e) {
            throw new SSLPeerUnverifiedException("its certificate " + e.getMessage());
        }
        throw new SSLPeerUnverifiedException("its certificate is none of X.509");
    }

    /** To be called when all its connections are closed. */
    @Override
    public synchronized void close() {
        verifier.shutdownNow();
        boolean _ = ReferenceCountUtil.release(use.context());
    }
}
