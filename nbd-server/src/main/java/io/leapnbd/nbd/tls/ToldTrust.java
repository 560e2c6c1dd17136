package io.leapnbd.nbd.tls;

import java.security.cert.CertificateException;
import java.security.cert.X509Certificate;
import java.util.function.BiConsumer;
import javax.net.ssl.SSLEngine;
import javax.net.ssl.X509ExtendedTrustManager;

/** Believes whom another one believes, and tells of clients that it refuses. Any thread. */
final class ToldTrust extends PassedOnTrust {

    private final BiConsumer<String, String> refused;

    /**
     * With the rules of another one.
     *
     * @param refused takes the client's host and what is wrong, in words that follow it
     */
    ToldTrust(X509ExtendedTrustManager rules, BiConsumer<String, String> refused) {
        super(rules);
        this.refused = refused;
    }

    @Override
    public void checkClientTrusted(X509Certificate[] chain, String type, SSLEngine engine) throws CertificateException {
        try {
            super.checkClientTrusted(chain, type, engine);
        } catch (CertificateException e) {
            refused.accept(String.valueOf(engine.getPeerHost()), TlsFailure.ofCertificate(chain[0], e));
            throw e;
        }
    }
}
