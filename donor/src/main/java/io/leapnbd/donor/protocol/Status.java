package io.leapnbd.donor.protocol;

/** How a request ended: the second byte of a reply's header. A reply other than {@link #OK} has no payload, except a hello's. */
public final class Status {

    /** Done. */
    public static final byte OK = 0;

    /** The request does not follow the protocol; the donor closes the link after this reply. */
    public static final byte BAD_REQUEST = 1;

    /** A newer server owns the export. The link is closed after this reply. The reply to a hello carries its body. */
    public static final byte FENCED = 2;

    /** No slab is free. */
    public static final byte NO_SPACE = 3;

    /** The handle is not, or no longer, a slab of this export. */
    public static final byte NOT_OWNER = 4;

    /** The range reaches beyond the slab. */
    public static final byte OUT_OF_RANGE = 5;

    /** No protocol version in common. The link is closed after this reply. */
    public static final byte UNSUPPORTED_VERSION = 6;

    /** The link only observes. */
    public static final byte NOT_CLAIMED = 7;

    private Status() {}

    /** The constant's name, for messages. */
    public static String name(byte status) {
        return switch (status) {
            case OK -> "ok";
            case BAD_REQUEST -> "bad request";
            case FENCED -> "fenced off by a newer server of the same export";
            case NO_SPACE -> "no free slab";
            case NOT_OWNER -> "slab not owned";
            case OUT_OF_RANGE -> "out of range";
            case UNSUPPORTED_VERSION -> "unsupported protocol version";
            case NOT_CLAIMED -> "link only observes";
            default -> "status " + status;
        };
    }
}
