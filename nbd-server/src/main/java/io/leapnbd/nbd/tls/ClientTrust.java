package io.leapnbd.nbd.tls;

import java.net.Socket;
import java.security.GeneralSecurityException;
import java.security.KeyStore;
import java.security.cert.CertificateException;
import java.security.cert.X509Certificate;
import java.util.Collection;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import javax.net.ssl.SSLEngine;
import javax.net.ssl.TrustManager;
import javax.net.ssl.TrustManagerFactory;
import javax.net.ssl.X509ExtendedTrustManager;
import org.jspecify.annotations.Nullable;

/**
 * Which clients a server believes: those with a certificate of its authority. One that names a machine of a leap-nbd pool, and what it is good for
 * there, has to be a client's. So nobody reads a device with a key that was stolen from a donor, or from another server. Any thread.
 */
final class ClientTrust extends X509ExtendedTrustManager {

    /** {@code leap-nbd://POOL/ROLE/NAME}, as {@code leap-nbd pool add} writes it. */
    private static final Pattern POOL = Pattern.compile("leap-nbd://[^/]*/([^/]*)/.*");

    private static final String SCHEME = "leap-nbd:";
    private static final String CLIENT = "client";

    /** GeneralName: uniformResourceIdentifier (RFC 5280, 4.2.1.6). */
    private static final Integer URI_KIND = 6;

    private final X509ExtendedTrustManager authority;
    private final RevokedFile revoked;

    private final @Nullable X509Certificate own;

    private ClientTrust(X509ExtendedTrustManager authority, RevokedFile revoked, @Nullable X509Certificate own) {
        this.authority = authority;
        this.revoked = revoked;
        this.own = own;
    }

    /**
     * Of an authority, which may have several certificates, and without those that were taken out.
     *
     * @param own one that is believed whatever it is good for in a pool, if the authority's rules allow; null for none
     */
    static ClientTrust of(KeyStore certificates, RevokedFile revoked, @Nullable X509Certificate own)
            throws GeneralSecurityException {
        TrustManagerFactory trust = TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm());
        trust.init(certificates);
        for (TrustManager one : trust.getTrustManagers()) {
            if (one instanceof X509ExtendedTrustManager its) {
                return new ClientTrust(its, revoked, own);
            }
        }
        throw new GeneralSecurityException("this Java looks at no certificates");
    }

    /**
     * Looks whether a certificate may be a client's, whoever has signed it.
     *
     * @throws CertificateException if it is that of another machine of a pool; in words that follow "its certificate"
     */
    static void requireClient(X509Certificate certificate) throws CertificateException {
        Collection<List<?>> names = certificate.getSubjectAlternativeNames();
        for (List<?> name : names == null ? List.<List<?>>of() : names) {
            if (URI_KIND.equals(name.get(0)) && name.get(1) instanceof String uri && uri.startsWith(SCHEME)) {
                Matcher parts = POOL.matcher(uri);
                String role = parts.matches() ? parts.group(1) : "nobody";
                if (!role.equals(CLIENT)) {
                    throw new Refusal("is that of a " + role + " of a pool, and a client's is needed");
                }
            }
        }
    }

    /** A certificate that the authority believes and the pool's rules do not; in words that follow "its certificate". */
    static final class Refusal extends CertificateException {

        private static final long serialVersionUID = 1;

        Refusal(String why) {
            super(why);
        }
    }

    private void require(X509Certificate its) throws CertificateException {
        requireMember(its);
        if (!its.equals(own)) {
            requireClient(its);
        }
    }

    private void requireMember(X509Certificate its) throws CertificateException {
        if (revoked.refuses(its)) {
            throw new Refusal("is of a machine that was taken out of the pool");
        }
    }

    @Override
    public void checkClientTrusted(X509Certificate[] chain, String type) throws CertificateException {
        authority.checkClientTrusted(chain, type);
        require(chain[0]);
    }

    @Override
    public void checkClientTrusted(X509Certificate[] chain, String type, Socket socket) throws CertificateException {
        authority.checkClientTrusted(chain, type, socket);
        require(chain[0]);
    }

    @Override
    public void checkClientTrusted(X509Certificate[] chain, String type, SSLEngine engine) throws CertificateException {
        authority.checkClientTrusted(chain, type, engine);
        require(chain[0]);
    }

    @Override
    public void checkServerTrusted(X509Certificate[] chain, String type) throws CertificateException {
        authority.checkServerTrusted(chain, type);
        requireMember(chain[0]);
    }

    @Override
    public void checkServerTrusted(X509Certificate[] chain, String type, Socket socket) throws CertificateException {
        requireServer(chain, type, () -> authority.checkServerTrusted(chain, type, socket));
    }

    @Override
    public void checkServerTrusted(X509Certificate[] chain, String type, SSLEngine engine) throws CertificateException {
        requireServer(chain, type, () -> authority.checkServerTrusted(chain, type, engine));
    }

    /** What the authority asks of a server's certificate, with its address or without. */
    @FunctionalInterface
    private interface AuthorityCheck {

        void run() throws CertificateException;
    }

    private void requireServer(X509Certificate[] chain, String type, AuthorityCheck withAddress)
            throws CertificateException {
        try {
            withAddress.run();
        } catch (CertificateException e) {
            // Without it the address is not compared.
            checkServerTrusted(chain, type);
            throw new OtherHostException(CertificateNames.of(chain[0]), e);
        }
        requireMember(chain[0]);
    }

    @Override
    public X509Certificate[] getAcceptedIssuers() {
        return authority.getAcceptedIssuers();
    }
}
