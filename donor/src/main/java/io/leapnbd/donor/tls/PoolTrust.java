package io.leapnbd.donor.tls;

import io.netty.handler.ssl.OpenSsl;
import io.netty.handler.ssl.OpenSslCertificateException;
import io.netty.internal.tcnative.CertificateVerifier;
import java.io.IOException;
import java.net.Socket;
import java.security.GeneralSecurityException;
import java.security.KeyStore;
import java.security.cert.CertificateException;
import java.security.cert.CertificateExpiredException;
import java.security.cert.CertificateNotYetValidException;
import java.security.cert.X509Certificate;
import java.time.Instant;
import java.time.ZoneOffset;
import java.time.format.DateTimeFormatter;
import java.util.Date;
import java.util.List;
import java.util.Locale;
import java.util.function.Predicate;
import javax.net.ssl.SSLEngine;
import javax.net.ssl.TrustManager;
import javax.net.ssl.TrustManagerFactory;
import javax.net.ssl.X509ExtendedTrustManager;
import javax.net.ssl.X509TrustManager;
import org.jspecify.annotations.Nullable;

/**
 * Believes certificates of one pool's authority, each in its role only. The host that was dialled is not compared with the certificate: machines of
 * a pool have addresses that change, and any donor of the pool may lend ({@code docs/pool.md} has the reasons). Any thread.
 *
 * <p>Why a certificate is refused is told to the peer by the alert that belongs to it, and here in words that follow "its certificate".
 */
final class PoolTrust extends X509ExtendedTrustManager {

    /** Of the keys' use only the signature counts in TLS 1.3, whatever the cipher's name. */
    private static final String AUTHENTICATION = "UNKNOWN";

    /** Certificates that a peer may show: its own, its authority's, and one to spare. */
    private static final int LONGEST = 3;

    private static final DateTimeFormatter SECOND =
            DateTimeFormatter.ofPattern("yyyy-MM-dd HH:mm:ss 'UTC'", Locale.ROOT);

    private final X509TrustManager authority;
    private final Role peers;
    private final Predicate<X509Certificate> revoked;

    /**
     * For one end.
     *
     * @param revoked which certificates are refused all the same
     * @param peers the only role that is believed
     * @throws GeneralSecurityException if the authorities' certificates cannot be used
     */
    PoolTrust(List<X509Certificate> authorities, Predicate<X509Certificate> revoked, Role peers)
            throws GeneralSecurityException {
        // What an alert is called is asked of the library.
        OpenSsl.ensureAvailability();
        this.peers = peers;
        this.revoked = revoked;
        KeyStore store = KeyStore.getInstance("PKCS12");
        try {
            store.load(null, null);
        } catch (IOException e) {
            throw new GeneralSecurityException(e);
        }
        for (int i = 0; i < authorities.size(); i++) {
            store.setCertificateEntry("authority " + i, authorities.get(i));
        }
        TrustManagerFactory factory = TrustManagerFactory.getInstance("PKIX");
        factory.init(store);
        authority = x509(factory.getTrustManagers());
    }

    private static X509TrustManager x509(TrustManager[] all) throws GeneralSecurityException {
        for (TrustManager one : all) {
            if (one instanceof X509TrustManager found) {
                return found;
            }
        }
        throw new GeneralSecurityException("this Java looks at no certificates");
    }

    private void check(X509Certificate[] chain, boolean client) throws CertificateException {
        X509Certificate its = chain[0];
        if (chain.length > LONGEST) {
            // To look at a long one takes milliseconds, and others wait for it.
            throw refused(
                    "comes with " + (chain.length - 1) + " others; a pool's needs none beside its authority's",
                    null,
                    CertificateVerifier.X509_V_ERR_CERT_CHAIN_TOO_LONG);
        }
        try {
            its.checkValidity();
        } catch (CertificateExpiredException e) {
            throw refused(
                    "has ended on " + day(its.getNotAfter()) + "; make that machine a new one with 'leap-nbd pool add'",
                    e,
                    CertificateVerifier.X509_V_ERR_CERT_HAS_EXPIRED);
        } catch (CertificateNotYetValidException e) {
            throw refused(
                    notBegun(its.getNotBefore().toInstant()),
                    e,
                    // The alert for one that is not yet valid says that it has ended.
                    CertificateVerifier.X509_V_ERR_CERT_REJECTED);
        }
        try {
            if (client) {
                authority.checkClientTrusted(chain, AUTHENTICATION);
            } else {
                authority.checkServerTrusted(chain, AUTHENTICATION);
            }
        } catch (CertificateException e) {
            requireRole(its, e);
            throw refused(
                    "is not of this pool's authority; both ends need folders that 'leap-nbd pool add' made for one pool",
                    e,
                    CertificateVerifier.X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY);
        }
        if (revoked.test(its)) {
            throw refused(
                    "is of a machine that was taken out of the pool; if it is back, make it a new one with 'leap-nbd pool add'",
                    null,
                    CertificateVerifier.X509_V_ERR_CERT_REVOKED);
        }
        requireRole(its, null);
    }

    /** As for a link that is there: whether it would be let in now. */
    boolean believes(X509Certificate[] chain) {
        try {
            check(chain, peers == Role.SERVER);
            return true;
        } catch (CertificateException e) {
            return false;
        }
    }

    /** Also of a certificate that was refused already: that it has another role says more than that its use is another. */
    private void requireRole(X509Certificate its, @Nullable Exception before) throws CertificateException {
        PoolName name;
        try {
            name = PoolName.of(its);
        } catch (CertificateException e) {
            if (before != null) {
                return;
            }
            throw refused(String.valueOf(e.getMessage()), e, CertificateVerifier.X509_V_ERR_INVALID_PURPOSE);
        }
        if (name.role() != peers) {
            throw refused(
                    "is that of a " + name.role().label() + " (" + name.name() + "), and a " + peers.label()
                            + "'s is needed",
                    before,
                    CertificateVerifier.X509_V_ERR_INVALID_PURPOSE);
        }
    }

    private static CertificateException refused(String why, @Nullable Exception cause, int code) {
        return cause == null
                ? new OpenSslCertificateException(why, code)
                : new OpenSslCertificateException(why, cause, code);
    }

    /** What is wrong with a certificate that begins then, in words that follow it. */
    static String notBegun(Instant begins) {
        return "has not begun: it begins at " + second(begins) + ", and here it is " + second(Instant.now())
                + "; compare the clocks of both machines";
    }

    /** A time in UTC, for people. */
    static String second(Instant time) {
        return SECOND.format(time.atOffset(ZoneOffset.UTC));
    }

    private static String day(Date time) {
        return time.toInstant().atZone(ZoneOffset.UTC).toLocalDate().toString();
    }

    @Override
    public void checkClientTrusted(X509Certificate[] chain, String authType) throws CertificateException {
        check(chain, true);
    }

    @Override
    public void checkServerTrusted(X509Certificate[] chain, String authType) throws CertificateException {
        check(chain, false);
    }

    @Override
    public void checkClientTrusted(X509Certificate[] chain, String authType, Socket socket)
            throws CertificateException {
        check(chain, true);
    }

    @Override
    public void checkServerTrusted(X509Certificate[] chain, String authType, Socket socket)
            throws CertificateException {
        check(chain, false);
    }

    @Override
    public void checkClientTrusted(X509Certificate[] chain, String authType, SSLEngine engine)
            throws CertificateException {
        check(chain, true);
    }

    @Override
    public void checkServerTrusted(X509Certificate[] chain, String authType, SSLEngine engine)
            throws CertificateException {
        check(chain, false);
    }

    /** A server tells its peers whose certificates it believes. */
    @Override
    public X509Certificate[] getAcceptedIssuers() {
        return authority.getAcceptedIssuers();
    }
}
