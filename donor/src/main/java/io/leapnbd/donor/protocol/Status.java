package io.leapnbd.donor.protocol;

/**
 * How a request ended: the second byte of a reply's header. A reply other than {@link #OK} has no payload, except a hello's that is
 * {@link #FENCED}, {@link #CONFLICT} or {@link #OTHER_IDENTITY}.
 */
public final class Status {

    /** Done. */
    public static final byte OK = 0;

    /** The request does not follow the protocol; the donor closes the link after this reply. */
    public static final byte BAD_REQUEST = 1;

    /**
     * A newer claim owns the export. The link is closed after this reply. But after a hello, a join that was refused, the reply has
     * a body and the link waits for another hello.
     */
    public static final byte FENCED = 2;

    /** No slab is free. */
    public static final byte NO_SPACE = 3;

    /** The handle is not, or no longer, a slab of this export. */
    public static final byte NOT_OWNER = 4;

    /** The range reaches beyond the slab. */
    public static final byte OUT_OF_RANGE = 5;

    /** No protocol version in common. The link is closed after this reply. */
    public static final byte UNSUPPORTED_VERSION = 6;

    /** The link only observes, or has not said hello. */
    public static final byte NOT_CLAIMED = 7;

    /**
     * Of a hello that claims: the export's epoch or contents are not those that were observed. The reply has a body and the link
     * waits for another hello.
     */
    public static final byte CONFLICT = 8;

    /** The index is held, or the slab is, in a higher generation than the request's. */
    public static final byte STALE = 9;

    /** The range touches a page that is lost, and does not replace it as a whole. */
    public static final byte PAGE_LOST = 10;

    /** The export belongs to another identity, which the reply's payload names. The link is closed after this reply. */
    public static final byte OTHER_IDENTITY = 11;

    /** The donor serves only peers with a certificate of its pool, and the link has none. The link is closed after this reply. */
    public static final byte UNAUTHENTICATED = 12;

    /** The donor serves links only over TLS to their end. The link is closed after this reply. */
    public static final byte TLS_ONLY = 13;

    private Status() {}

    /** The constant's name, for messages. */
    public static String name(byte status) {
        return switch (status) {
            case OK -> "ok";
            case BAD_REQUEST -> "bad request";
            case FENCED -> "fenced off by a newer claim of the same export";
            case NO_SPACE -> "no free slab";
            case NOT_OWNER -> "slab not owned";
            case OUT_OF_RANGE -> "out of range";
            case UNSUPPORTED_VERSION -> "unsupported protocol version";
            case NOT_CLAIMED -> "link only observes";
            case CONFLICT -> "the export is not as it was observed";
            case STALE -> "the slab has a newer generation";
            case PAGE_LOST -> "page lost";
            case OTHER_IDENTITY -> "the export belongs to another identity";
            case UNAUTHENTICATED -> "it serves only servers of its pool; start this one with --pool";
            case TLS_ONLY -> "frames in clear are not allowed (--link-security tls)";
            default -> "status " + status;
        };
    }
}
