package io.leapnbd.donor.tls;

import java.util.Locale;

/** What a certificate of a pool is good for. It is good for nothing else, so that a stolen one opens no more than it must. */
public enum Role {
    /** To lend memory. */
    DONOR,
    /** To borrow it, and to serve clients over NBD. */
    SERVER,
    /** To be a client over NBD. */
    CLIENT;

    /** As certificates and the names of files have it. */
    public String label() {
        return name().toLowerCase(Locale.ROOT);
    }
}
