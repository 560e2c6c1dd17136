package io.leapnbd.bypass;

import io.leapnbd.donor.tls.LinkCredentials;
import io.leapnbd.donor.tls.LinkProtection;
import io.leapnbd.donor.tls.LinkTls;
import io.leapnbd.donor.tls.PoolAuthority;
import io.leapnbd.donor.tls.PoolName;
import io.leapnbd.donor.tls.Role;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.security.GeneralSecurityException;
import java.security.KeyStore;
import java.security.cert.X509Certificate;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.function.Predicate;
import javax.net.ssl.KeyManager;
import javax.net.ssl.KeyManagerFactory;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLServerSocket;
import javax.net.ssl.SSLSocket;
import javax.net.ssl.TrustManagerFactory;

/** A pool that was made just now. */
public final class Pool {

    private final PoolAuthority authority;

    /** A new one. */
    public Pool() {
        try {
            PoolAuthority.Issued made = PoolAuthority.create("test", Instant.now(), Duration.ofDays(2));
            authority = new PoolAuthority(made.key(), made.certificate());
        } catch (GeneralSecurityException e) {
            throw new IllegalStateException(e);
        }
    }

    /** A certificate that is good now. */
    public PoolAuthority.Issued issue(Role role, String name) throws GeneralSecurityException {
        return authority.issue(
                new PoolName("test", role, name),
                List.of(),
                Instant.now(),
                Instant.now().plus(Duration.ofDays(1)));
    }

    /** One that was good yesterday. */
    public PoolAuthority.Issued ended(Role role, String name) throws GeneralSecurityException {
        Instant then = Instant.now().minus(Duration.ofDays(2));
        return authority.issue(new PoolName("test", role, name), List.of(), then, then.plus(Duration.ofDays(1)));
    }

    /** What shows a certificate and believes this pool. */
    public LinkCredentials credentials(Role role, String name) throws GeneralSecurityException {
        PoolAuthority.Issued own = issue(role, name);
        return new LinkCredentials(own.key(), List.of(own.certificate()), List.of(authority.certificate()));
    }

    /** Likewise, and refuses some of it. */
    public LinkCredentials credentials(Role role, String name, Predicate<X509Certificate> revoked)
            throws GeneralSecurityException {
        LinkCredentials all = credentials(role, name);
        return new LinkCredentials(all.key(), all.chain(), all.authorities(), revoked);
    }

    /** The donor's end. */
    public LinkTls donor(String name) throws GeneralSecurityException, IOException {
        return LinkTls.donor(credentials(Role.DONOR, name));
    }

    /** The server's end. */
    public LinkTls server(String name) throws GeneralSecurityException, IOException {
        return LinkTls.server(credentials(Role.SERVER, name));
    }

    /** The donor's end, and the least that it takes. */
    public LinkTls donor(String name, LinkProtection protection) throws GeneralSecurityException, IOException {
        return LinkTls.donor(credentials(Role.DONOR, name), protection);
    }

    /** The server's end, and what it asks for. */
    public LinkTls server(String name, LinkProtection protection) throws GeneralSecurityException, IOException {
        return LinkTls.server(credentials(Role.SERVER, name), protection);
    }

    /** Shows any certificate, and believes those of this pool, whatever their role. */
    public SSLContext shows(PoolAuthority.Issued shown) throws GeneralSecurityException, IOException {
        KeyStore trusted = KeyStore.getInstance("PKCS12");
        trusted.load(null, null);
        trusted.setCertificateEntry("authority", authority.certificate());
        TrustManagerFactory trust = TrustManagerFactory.getInstance("PKIX");
        trust.init(trusted);
        SSLContext context = SSLContext.getInstance("TLSv1.3");
        context.init(keys(shown), trust.getTrustManagers(), null);
        return context;
    }

    private static KeyManager[] keys(PoolAuthority.Issued shown) throws GeneralSecurityException, IOException {
        KeyStore store = KeyStore.getInstance("PKCS12");
        store.load(null, null);
        store.setKeyEntry("own", shown.key(), new char[0], new X509Certificate[] {shown.certificate()});
        KeyManagerFactory keys = KeyManagerFactory.getInstance("PKIX");
        keys.init(store, new char[0]);
        return keys.getKeyManagers();
    }

    /** Something that listens, shows any certificate and wants to see none; it says nothing but TLS. */
    public static InetSocketAddress listener(PoolAuthority.Issued shown, List<AutoCloseable> opened)
            throws GeneralSecurityException, IOException {
        SSLContext context = SSLContext.getInstance("TLSv1.3");
        context.init(keys(shown), null, null);
        SSLServerSocket listener = (SSLServerSocket)
                context.getServerSocketFactory().createServerSocket(0, 8, InetAddress.getLoopbackAddress());
        opened.add(listener);
        Thread.ofPlatform().daemon().name("tls listener").start(() -> {
            while (!listener.isClosed()) {
                try (SSLSocket socket = (SSLSocket) listener.accept()) {
                    socket.startHandshake();
                    int _ = socket.getInputStream().read();
                } catch (IOException e) {
                    // The other end has refused, which is what this is for.
                }
            }
        });
        return (InetSocketAddress) listener.getLocalSocketAddress();
    }
}
