package io.leapnbd.donor;

import io.leapnbd.donor.tls.LinkCredentials;
import io.leapnbd.donor.tls.LinkTls;
import io.leapnbd.donor.tls.PoolAuthority;
import io.leapnbd.donor.tls.PoolName;
import io.leapnbd.donor.tls.Role;
import java.io.IOException;
import java.net.Socket;
import java.security.GeneralSecurityException;
import java.security.KeyStore;
import java.security.Principal;
import java.security.PrivateKey;
import java.security.cert.X509Certificate;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;
import javax.net.ssl.KeyManager;
import javax.net.ssl.KeyManagerFactory;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLEngine;
import javax.net.ssl.SSLSocket;
import javax.net.ssl.TrustManager;
import javax.net.ssl.X509ExtendedKeyManager;
import javax.net.ssl.X509ExtendedTrustManager;
import org.jspecify.annotations.Nullable;

/** A pool that was made just now, and clients that show what they like and believe everything. */
public final class TestPool {

    private final PoolAuthority authority;

    /** A new one. */
    public TestPool() throws GeneralSecurityException {
        PoolAuthority.Issued made = PoolAuthority.create("test", Instant.now(), Duration.ofDays(2));
        authority = new PoolAuthority(made.key(), made.certificate());
    }

    /** A certificate that is good now. */
    public PoolAuthority.Issued issue(Role role, String name) throws GeneralSecurityException {
        return issue(role, name, Instant.now(), Instant.now().plus(Duration.ofDays(1)));
    }

    /** One that is good at some time. */
    public PoolAuthority.Issued issue(Role role, String name, Instant from, Instant until)
            throws GeneralSecurityException {
        return authority.issue(new PoolName("test", role, name), List.of("localhost", "127.0.0.1"), from, until);
    }

    /** The donor's end. */
    public LinkTls donor(String name) throws GeneralSecurityException, IOException {
        return LinkTls.donor(credentials(issue(Role.DONOR, name)));
    }

    /** The server's end. */
    public LinkTls server(String name) throws GeneralSecurityException, IOException {
        return LinkTls.server(credentials(issue(Role.SERVER, name)));
    }

    /** What shows a certificate and believes this pool. */
    public LinkCredentials credentials(PoolAuthority.Issued own) {
        return new LinkCredentials(own.key(), List.of(own.certificate()), List.of(authority.certificate()));
    }

    /** TLS over a socket, of a client that believes everybody and shows a certificate or none; before the handshake. */
    public static SSLSocket over(Socket socket, PoolAuthority.@Nullable Issued shown)
            throws GeneralSecurityException, IOException {
        SSLSocket made =
                (SSLSocket) client(shown).getSocketFactory().createSocket(socket, "localhost", socket.getPort(), true);
        made.setUseClientMode(true);
        return made;
    }

    /** Likewise, over whatever. */
    public static SSLContext client(PoolAuthority.@Nullable Issued shown) throws GeneralSecurityException, IOException {
        KeyManager[] keys = null;
        if (shown != null) {
            KeyStore store = KeyStore.getInstance("PKCS12");
            store.load(null, null);
            store.setKeyEntry("own", shown.key(), new char[0], new X509Certificate[] {shown.certificate()});
            KeyManagerFactory factory = KeyManagerFactory.getInstance("PKIX");
            factory.init(store, new char[0]);
            keys = factory.getKeyManagers();
        }
        SSLContext context = SSLContext.getInstance("TLSv1.3");
        context.init(keys, new TrustManager[] {new Credulous()}, null);
        return context;
    }

    /** One whose connections may resume sessions of each other. {@code asked} counts how often a certificate is asked for. */
    public static SSLContext client(PoolAuthority.Issued shown, AtomicInteger asked) throws GeneralSecurityException {
        SSLContext context = SSLContext.getInstance("TLSv1.3");
        context.init(new KeyManager[] {new Counting(shown, asked)}, new TrustManager[] {new Credulous()}, null);
        return context;
    }

    private static final class Counting extends X509ExtendedKeyManager {

        private final PoolAuthority.Issued shown;
        private final AtomicInteger asked;

        Counting(PoolAuthority.Issued shown, AtomicInteger asked) {
            this.shown = shown;
            this.asked = asked;
        }

        @Override
        public String chooseClientAlias(String[] types, Principal @Nullable [] issuers, @Nullable Socket socket) {
            int _ = asked.incrementAndGet();
            return "own";
        }

        @Override
        public String[] getClientAliases(String type, Principal @Nullable [] issuers) {
            return new String[] {"own"};
        }

        @Override
        public X509Certificate[] getCertificateChain(String alias) {
            return new X509Certificate[] {shown.certificate()};
        }

        @Override
        public PrivateKey getPrivateKey(String alias) {
            return shown.key();
        }

        @Override
        public String @Nullable [] getServerAliases(String type, Principal @Nullable [] issuers) {
            return null;
        }

        @Override
        public @Nullable String chooseServerAlias(
                String type, Principal @Nullable [] issuers, @Nullable Socket socket) {
            return null;
        }
    }

    private static final class Credulous extends X509ExtendedTrustManager {
        @Override
        public void checkClientTrusted(X509Certificate[] chain, String type) {}

        @Override
        public void checkServerTrusted(X509Certificate[] chain, String type) {}

        @Override
        public void checkClientTrusted(X509Certificate[] chain, String type, Socket socket) {}

        @Override
        public void checkServerTrusted(X509Certificate[] chain, String type, Socket socket) {}

        @Override
        public void checkClientTrusted(X509Certificate[] chain, String type, SSLEngine engine) {}

        @Override
        public void checkServerTrusted(X509Certificate[] chain, String type, SSLEngine engine) {}

        @Override
        public X509Certificate[] getAcceptedIssuers() {
            return new X509Certificate[0];
        }
    }
}
