package io.leapnbd.bypass;

import io.leapnbd.bypass.latency.Operation;
import io.leapnbd.nbd.spi.Completion;
import io.leapnbd.nbd.spi.NbdError;
import org.jspecify.annotations.Nullable;

/**
 * One request of an NBD client while its parts, one a slab or a megabyte, are under way. Pooled by its {@link DeviceLoop};
 * only that loop's thread touches it.
 */
final class ClientRequest {

    final DeviceLoop loop;

    Operation operation = Operation.READ;
    long startNanos;

    /** What wants to know when a part has ended; else null. */
    @Nullable
    RangeWalk walk;

    private @Nullable Completion completion;
    private int parts;
    private int error;

    /** When the last part ended, if that is known and nothing has happened since; else 0. */
    private long endNanos;

    ClientRequest(DeviceLoop loop) {
        this.loop = loop;
    }

    /** Begins with one part, which stands for the splitting itself. */
    void begin(Operation of, long now, Completion whenDone) {
        operation = of;
        startNanos = now;
        completion = whenDone;
        parts = 1;
        error = 0;
        endNanos = 0;
        walk = null;
    }

    /** Parts that have not ended, but for the splitting itself, which must not have ended either. */
    int partsUnderWay() {
        return parts - 1;
    }

    boolean hasFailed() {
        return error != 0;
    }

    void addPart() {
        parts++;
    }

    /** Takes back an {@link #addPart}; others are left. */
    void removePart() {
        parts--;
    }

    /** Keeps the first error. */
    void fail(NbdError with) {
        fail(with.code());
    }

    void fail(int code) {
        if (error == 0) {
            error = code;
        }
    }

    /** Ends one part, and with the last the request. */
    void endPart() {
        endNanos = 0;
        endSplitting();
    }

    /** Ends one part at a time that is known, and with the last the request. */
    void endPart(long now) {
        endNanos = now;
        endSplitting();
    }

    /** Ends the part that stands for the splitting; the request too, if all others have ended while it lasted. */
    void endSplitting() {
        if (--parts == 0) {
            Completion whenDone = completion;
            completion = null;
            int code = error;
            long nanos = endNanos;
            loop.release(this);
            if (whenDone != null) {
                if (nanos == 0) {
                    whenDone.complete(code);
                } else {
                    whenDone.complete(code, nanos);
                }
            }
        } else if (walk != null) {
            walk.partEnded();
        }
    }
}
