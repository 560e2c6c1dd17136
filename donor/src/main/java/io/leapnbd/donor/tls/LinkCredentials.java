package io.leapnbd.donor.tls;

import java.security.PrivateKey;
import java.security.cert.X509Certificate;
import java.util.List;
import java.util.function.Predicate;

/**
 * What one end of a link shows, and whom it believes.
 *
 * @param key of the first certificate
 * @param chain this end's own certificate first
 * @param authorities whose signatures count
 * @param revoked which certificates are refused all the same
 */
public record LinkCredentials(
        PrivateKey key,
        List<X509Certificate> chain,
        List<X509Certificate> authorities,
        Predicate<X509Certificate> revoked) {

    /** Copies the lists. */
    public LinkCredentials {
        chain = List.copyOf(chain);
        authorities = List.copyOf(authorities);
    }

    /** With nobody taken out. */
    public LinkCredentials(PrivateKey key, List<X509Certificate> chain, List<X509Certificate> authorities) {
        this(key, chain, authorities, certificate -> false);
    }

    X509Certificate own() {
        return chain.getFirst();
    }
}
