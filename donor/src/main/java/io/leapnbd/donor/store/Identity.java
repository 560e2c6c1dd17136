package io.leapnbd.donor.store;

import java.util.regex.Pattern;

/**
 * Who a link's peer has shown to be. An export belongs to the identity that claimed it first. Another one can neither observe nor claim nor
 * join it; {@code docs/pool.md}.
 *
 * @param name of its certificate: 1 to 64 of a-z, 0-9, '.', '-' and '_'; {@link #ANONYMOUS} for a peer that shows none
 */
public record Identity(String name) {

    private static final Pattern NAME = Pattern.compile("[a-z0-9][a-z0-9._-]{0,63}");

    /** Of peers that show no certificate. No certificate of a pool has this name. */
    public static final Identity ANONYMOUS = new Identity("anonymous");

    /** Checks the name. */
    public Identity {
        if (!isName(name)) {
            throw new IllegalArgumentException("an identity has 1 to 64 of a-z, 0-9, '.', '-' and '_'");
        }
    }

    /** Whether an identity could have this name. */
    public static boolean isName(String name) {
        return NAME.matcher(name).matches();
    }

    /** Whether the peer has shown no certificate. */
    public boolean isAnonymous() {
        return equals(ANONYMOUS);
    }

    @Override
    public String toString() {
        return name;
    }
}
