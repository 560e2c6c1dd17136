package io.leapnbd.nbd.tls;

import java.net.Socket;
import java.security.cert.CertificateException;
import java.security.cert.X509Certificate;
import java.util.function.BiConsumer;
import javax.net.ssl.SSLEngine;
import javax.net.ssl.X509ExtendedTrustManager;

/** Believes whom another one believes, and tells of clients that it refuses. Any thread. */
final class ToldTrust extends X509ExtendedTrustManager {

    private final X509ExtendedTrustManager rules;
    private final BiConsumer<String, String> refused;

    /**
     * With the rules of another one.
     *
     * @param refused takes the client's host and what is wrong, in words that follow it
     */
    ToldTrust(X509ExtendedTrustManager rules, BiConsumer<String, String> refused) {
        this.rules = rules;
        this.refused = refused;
    }

    @Override
    public void checkClientTrusted(X509Certificate[] chain, String type, SSLEngine engine) throws CertificateException {
        try {
            rules.checkClientTrusted(chain, type, engine);
        } catch (CertificateException e) {
            refused.accept(String.valueOf(engine.getPeerHost()), TlsFailure.ofCertificate(chain[0], e));
            throw e;
        }
    }

    @Override
    public void checkClientTrusted(X509Certificate[] chain, String type) throws CertificateException {
        rules.checkClientTrusted(chain, type);
    }

    @Override
    public void checkClientTrusted(X509Certificate[] chain, String type, Socket socket) throws CertificateException {
        rules.checkClientTrusted(chain, type, socket);
    }

    @Override
    public void checkServerTrusted(X509Certificate[] chain, String type) throws CertificateException {
        rules.checkServerTrusted(chain, type);
    }

    @Override
    public void checkServerTrusted(X509Certificate[] chain, String type, Socket socket) throws CertificateException {
        rules.checkServerTrusted(chain, type, socket);
    }

    @Override
    public void checkServerTrusted(X509Certificate[] chain, String type, SSLEngine engine) throws CertificateException {
        rules.checkServerTrusted(chain, type, engine);
    }

    @Override
    public X509Certificate[] getAcceptedIssuers() {
        return rules.getAcceptedIssuers();
    }
}
