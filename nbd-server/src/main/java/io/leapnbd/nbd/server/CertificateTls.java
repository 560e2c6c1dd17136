package io.leapnbd.nbd.server;

import io.leapnbd.nbd.Printable;
import io.leapnbd.nbd.tls.TlsFolder;
import io.netty.buffer.ByteBufAllocator;
import io.netty.channel.Channel;
import io.netty.channel.ChannelHandler;
import io.netty.handler.ssl.OpenSslSessionContext;
import io.netty.handler.ssl.ReferenceCountedOpenSslEngine;
import io.netty.handler.ssl.SslContext;
import io.netty.handler.ssl.SslHandler;
import io.netty.internal.tcnative.SSL;
import io.netty.util.ReferenceCountUtil;
import java.io.IOException;
import java.security.cert.CertificateException;
import java.security.cert.X509Certificate;
import java.util.Map;
import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import java.util.stream.Stream;
import javax.net.ssl.SSLEngine;
import javax.net.ssl.SSLPeerUnverifiedException;
import javax.net.ssl.SSLSession;
import javax.net.ssl.X509ExtendedTrustManager;
import org.jspecify.annotations.Nullable;

/**
 * Certificates on both sides, by BoringSSL. Certificates are looked at by a thread of its own, since that takes a millisecond or two, in which a
 * loop would answer nobody. No session is ever resumed, so every connection shows its certificate.
 */
final class CertificateTls implements TlsMethod {

    /** Handshakes that wait for that thread; the next one fails. */
    static final int WAITING = 256;

    private final SslContext context;
    private final X509ExtendedTrustManager trust;

    /** Who is there, with the certificates that were shown. */
    private final Map<Channel, X509Certificate[]> clients = new ConcurrentHashMap<>();

    private final ThreadPoolExecutor verifier;
    private volatile @Nullable CertificateTls next;

    /**
     * With the certificates of a folder, which are read now.
     *
     * @throws IOException in one sentence, if the files are not there or not in order
     */
    CertificateTls(TlsFolder folder) throws IOException {
        trust = folder.clients();
        context = folder.server(trust);
        withoutSessions(context);
        verifier = new ThreadPoolExecutor(
                1,
                1,
                1,
                TimeUnit.SECONDS,
                new ArrayBlockingQueue<>(WAITING),
                task -> Thread.ofPlatform().daemon().name("nbd-certificates").unstarted(task));
    }

    @Override
    public ChannelHandler handler(ByteBufAllocator allocator, Consumer<String> established) {
        SslHandler handler = context.newHandler(allocator, verifier);
        withoutTickets(handler.engine());
        handler.setCloseNotifyFlushTimeoutMillis(NbdTls.CLOSE_NOTIFY_MILLIS);
        handler.handshakeFuture().addListener(done -> {
            if (done.isSuccess()) {
                keep(handler.handshakeFuture().getNow(), handler);
                established.accept(describe(handler));
            }
        });
        return handler;
    }

    private void keep(Channel channel, SslHandler handler) {
        try {
            X509Certificate[] shown = Stream.of(handler.engine().getSession().getPeerCertificates())
                    .map(X509Certificate.class::cast)
                    .toArray(X509Certificate[]::new);
            clients.put(channel, shown);
            var _ = channel.closeFuture().addListener(_ -> clients.remove(channel));
            CertificateTls later = next;
            if (later != null) {
                // Its handshake had begun before the files were read again.
                later.adopt(channel, shown);
            }
        } catch (SSLPeerUnverifiedException e) {
            var _ = channel.close();
        }
    }

    /** Those that are there and would not be let in any more are cut off. */
    @Override
    public void follow(TlsMethod before) {
        if (before instanceof CertificateTls other) {
            other.next = this;
            other.clients.forEach(this::adopt);
        }
    }

    private void adopt(Channel channel, X509Certificate[] shown) {
        try {
            trust.checkClientTrusted(shown, "UNKNOWN");
            clients.put(channel, shown);
            var _ = channel.closeFuture().addListener(_ -> clients.remove(channel));
        } catch (CertificateException e) {
            var _ = channel.close();
        }
    }

    @Override
    public void retire() {
        // Handshakes that have begun go on.
        verifier.shutdown();
        boolean _ = ReferenceCountUtil.release(context);
    }

    /** Sessions of TLS 1.2 that the server itself would keep, by their number. */
    private static void withoutSessions(SslContext context) {
        if (!(context.sessionContext() instanceof OpenSslSessionContext sessions)) {
            throw new IllegalStateException("TLS needs OpenSSL's contexts, and this is " + context.getClass());
        }
        sessions.setSessionCacheEnabled(false);
    }

    /** Who has a ticket could come back without a certificate, also past its end. The context's cache has nothing to do with tickets. */
    private static void withoutTickets(SSLEngine engine) {
        if (!(engine instanceof ReferenceCountedOpenSslEngine open)) {
            throw new IllegalStateException("TLS needs OpenSSL's engine, and this is " + engine.getClass());
        }
        SSL.setOptions(open.sslPointer(), SSL.SSL_OP_NO_TICKET);
    }

    private static String describe(SslHandler handler) {
        SSLSession session = handler.engine().getSession();
        try {
            return session.getProtocol() + " with "
                    + Printable.of(session.getPeerPrincipal().getName());
        } catch (SSLPeerUnverifiedException e) {
            return session.getProtocol() + " with nobody";
        }
    }

    @Override
    public void close() {
        verifier.shutdownNow();
        boolean _ = ReferenceCountUtil.release(context);
    }
}
