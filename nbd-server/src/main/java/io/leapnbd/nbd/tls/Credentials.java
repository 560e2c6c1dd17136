package io.leapnbd.nbd.tls;

import java.security.PrivateKey;
import java.security.cert.X509Certificate;
import java.util.List;

/**
 * What one end of TLS shows, and whom it believes.
 *
 * @param key of the first certificate
 * @param chain its own certificate first
 * @param authorities whose signatures count
 */
public record Credentials(PrivateKey key, List<X509Certificate> chain, List<X509Certificate> authorities) {

    /** Copies the lists. */
    public Credentials {
        chain = List.copyOf(chain);
        authorities = List.copyOf(authorities);
    }

    X509Certificate[] shown() {
        return chain.toArray(new X509Certificate[0]);
    }

    X509Certificate[] believed() {
        return authorities.toArray(new X509Certificate[0]);
    }
}
