package io.leapnbd.nbd.tls;

import java.security.GeneralSecurityException;
import java.security.MessageDigest;
import java.security.cert.CertificateException;
import java.security.cert.X509Certificate;
import java.util.HexFormat;
import java.util.List;
import java.util.function.BiConsumer;
import javax.net.ssl.KeyManager;
import javax.net.ssl.SSLContext;
import javax.net.ssl.TrustManager;
import javax.net.ssl.X509ExtendedTrustManager;

/**
 * What a server of the JDK's own TLS shows, and whom it believes. Never changes; any thread.
 *
 * <p>Its own certificate is believed too, where a client shows it: who has the key of that could be this server anyway. Commands of its own machine do.
 */
public final class ServerIdentity {

    private final X509Certificate own;
    private final List<KeyManager> keys;
    private final X509ExtendedTrustManager clients;

    ServerIdentity(X509Certificate own, List<KeyManager> keys, X509ExtendedTrustManager clients) {
        this.own = own;
        this.keys = List.copyOf(keys);
        this.clients = clients;
    }

    /**
     * A context that has no connection yet, and so no session of one.
     *
     * @param refused is told of clients whose certificate is refused: the host, and what is wrong, in words that follow it; any thread
     */
    public SSLContext context(BiConsumer<String, String> refused) {
        try {
            SSLContext context = SSLContext.getInstance("TLS");
            context.init(keys.toArray(KeyManager[]::new), new TrustManager[] {new ToldTrust(clients, refused)}, null);
            return context;
        } catch (GeneralSecurityException e) {
            // One was made when the files were read.
            throw new IllegalStateException(e);
        }
    }

    /**
     * Looks at what a client has shown earlier.
     *
     * @throws CertificateException if it would not be let in now
     */
    public void check(X509Certificate[] chain) throws CertificateException {
        clients.checkClientTrusted(chain, "UNKNOWN");
    }

    /** The hosts that its certificate is for. */
    public CertificateNames names() {
        return CertificateNames.of(own);
    }

    /** Whether a certificate is the one that it shows itself. */
    public boolean isOwn(X509Certificate certificate) {
        return own.equals(certificate);
    }

    /** The certificate that it shows, as {@link #fingerprint(X509Certificate)} has it. */
    public String fingerprint() {
        try {
            return fingerprint(own);
        } catch (CertificateException e) {
            throw new IllegalStateException(e);
        }
    }

    /** SHA-256 of a certificate, in hexadecimal digits. */
    static String fingerprint(X509Certificate certificate) throws CertificateException {
        try {
            return HexFormat.of().formatHex(MessageDigest.getInstance("SHA-256").digest(certificate.getEncoded()));
        } catch (GeneralSecurityException e) {
            throw new CertificateException(e);
        }
    }
}
