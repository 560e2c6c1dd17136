package io.leapnbd.donor.tls;

import java.security.PrivateKey;
import java.security.cert.X509Certificate;
import java.util.List;

/**
 * What one end of a link shows, and whom it believes.
 *
 * @param key of the first certificate
 * @param chain this end's own certificate first
 * @param authorities whose signatures count
 */
public record LinkCredentials(PrivateKey key, List<X509Certificate> chain, List<X509Certificate> authorities) {

    /** Copies the lists. */
    public LinkCredentials {
        chain = List.copyOf(chain);
        authorities = List.copyOf(authorities);
    }

    X509Certificate own() {
        return chain.getFirst();
    }
}
