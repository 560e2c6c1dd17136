package io.leapnbd.nbd.spi;

/**
 * The error numbers that the NBD protocol allows on the wire ("Error values"). {@code ESHUTDOWN} is left out on purpose:
 * a kernel turns it into I/O errors for every swapped process at once, where a dropped connection lets it wait for the
 * server to come back.
 */
public enum NbdError {
    /** Operation not permitted: a write to a read-only export. */
    EPERM(1),
    /** The data is lost or out of reach. */
    EIO(5),
    /** No memory for this request now. */
    ENOMEM(12),
    /** The request itself is wrong. */
    EINVAL(22),
    /** A write past the end of the device, or one for which no donor has room. */
    ENOSPC(28),
    /** The reply would not fit what the protocol can carry. */
    EOVERFLOW(75),
    /** The export does not do this. */
    ENOTSUP(95);

    private final int code;

    NbdError(int code) {
        this.code = code;
    }

    /** The number on the wire; never 0. */
    public int code() {
        return code;
    }
}
