package io.leapnbd.nbd.server;

import static io.leapnbd.nbd.protocol.Transmission.*;

import io.leapnbd.nbd.spi.Command;
import io.leapnbd.nbd.spi.NbdError;

/**
 * What of a request can be told from its header: which flags go with which command ("Command flags"), what an export
 * refuses, and which ranges lie within it ("Error values"). Immutable.
 */
final class RequestChecks {

    private static final int OK = 0;
    private static final int EPERM = NbdError.EPERM.code();
    private static final int EINVAL = NbdError.EINVAL.code();
    private static final int ENOSPC = NbdError.ENOSPC.code();
    private static final int EOVERFLOW = NbdError.EOVERFLOW.code();

    private final long size;
    private final boolean readOnly;
    private final boolean structured;
    private final boolean allocationContext;

    RequestChecks(long size, boolean readOnly, boolean structured, boolean allocationContext) {
        this.size = size;
        this.readOnly = readOnly;
        this.structured = structured;
        this.allocationContext = allocationContext;
    }

    /**
     * Judges a request.
     *
     * @param offset unsigned
     * @param length 0..2^32-1
     * @return 0 when it may go to the device, or needs not to since its length is 0; else the error to answer
     */
    int check(Command command, int flags, long offset, long length) {
        if ((flags & ~permitted(command)) != 0) {
            return EINVAL;
        }
        return switch (command) {
            case FLUSH -> offset == 0 && length == 0 ? OK : EINVAL;
            case READ -> {
                if (length > MAX_PAYLOAD) {
                    yield (flags & CMD_FLAG_DF) != 0 ? EOVERFLOW : EINVAL;
                }
                yield within(offset, length, EINVAL);
            }
            case WRITE -> {
                if (length > MAX_PAYLOAD) {
                    yield EINVAL;
                }
                yield readOnly ? EPERM : within(offset, length, ENOSPC);
            }
            case WRITE_ZEROES -> readOnly ? EPERM : within(offset, length, ENOSPC);
            case TRIM -> readOnly ? EPERM : within(offset, length, EINVAL);
            case CACHE -> within(offset, length, EINVAL);
            case BLOCK_STATUS -> allocationContext && length > 0 ? within(offset, length, EINVAL) : EINVAL;
        };
    }

    /** FUA goes with every command, since this server offers it; the others each with one. */
    private int permitted(Command command) {
        return CMD_FLAG_FUA
                | switch (command) {
                    case READ -> structured ? CMD_FLAG_DF : 0;
                    case WRITE_ZEROES -> CMD_FLAG_NO_HOLE | CMD_FLAG_FAST_ZERO;
                    case BLOCK_STATUS -> CMD_FLAG_REQ_ONE;
                    case WRITE, FLUSH, TRIM, CACHE -> 0;
                };
    }

    private int within(long offset, long length, int beyond) {
        long end = offset + length;
        if (Long.compareUnsigned(end, offset) < 0) {
            return EINVAL;
        }
        return Long.compareUnsigned(end, size) <= 0 ? OK : beyond;
    }
}
