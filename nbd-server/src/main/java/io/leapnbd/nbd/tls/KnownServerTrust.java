package io.leapnbd.nbd.tls;

import java.net.Socket;
import java.security.cert.CertificateException;
import java.security.cert.X509Certificate;
import javax.net.ssl.SSLEngine;
import javax.net.ssl.X509ExtendedTrustManager;

/**
 * Which server a command believes that knows the server's certificate from a file of this machine: this one, whatever address it is reached at. The authority has
 * to have signed it all the same, and it must not have ended. A server with another certificate has to have the address in it. Any thread.
 */
final class KnownServerTrust extends PassedOnTrust {

    private final String known;

    /**
     * With what is believed of servers in general.
     *
     * @param known of the server's certificate, as {@link ServerIdentity#fingerprint()} has it
     */
    KnownServerTrust(X509ExtendedTrustManager others, String known) {
        super(others);
        this.known = known;
    }

    private boolean isKnown(X509Certificate[] chain) throws CertificateException {
        return ServerIdentity.fingerprint(chain[0]).equals(known);
    }

    @Override
    public void checkServerTrusted(X509Certificate[] chain, String type, Socket socket) throws CertificateException {
        if (isKnown(chain)) {
            // Without the socket the address is not compared.
            checkServerTrusted(chain, type);
        } else {
            super.checkServerTrusted(chain, type, socket);
        }
    }

    @Override
    public void checkServerTrusted(X509Certificate[] chain, String type, SSLEngine engine) throws CertificateException {
        if (isKnown(chain)) {
            checkServerTrusted(chain, type);
        } else {
            super.checkServerTrusted(chain, type, engine);
        }
    }
}
