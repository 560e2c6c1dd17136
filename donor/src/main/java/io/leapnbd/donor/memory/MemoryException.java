package io.leapnbd.donor.memory;

import java.io.IOException;
import java.io.Serial;

/** The kernel refused a call on memory. */
public final class MemoryException extends IOException {

    @Serial
    private static final long serialVersionUID = 1L;

    private final int errno;

    MemoryException(String what, int errno) {
        super(what + ": " + Errno.describe(errno));
        this.errno = errno;
    }

    /** The error number, as in {@code errno.h}. */
    public int errno() {
        return errno;
    }
}
