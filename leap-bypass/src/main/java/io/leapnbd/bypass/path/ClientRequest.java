package io.leapnbd.bypass.path;

import io.leapnbd.bypass.latency.Operation;
import io.leapnbd.nbd.spi.Completion;
import io.leapnbd.nbd.spi.NbdError;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * One request of an NBD client while its parts, one a slab or a megabyte, are under way. Pooled by its {@link DeviceLoop};
 * only that loop's thread touches it.
 */
public final class ClientRequest {

    private static final Logger LOG = LoggerFactory.getLogger(ClientRequest.class);
    private static final long NOWHERE = -1;

    final DeviceLoop loop;

    private Operation operation = Operation.READ;
    private long startNanos;
    private @Nullable Completion completion;
    private @Nullable ChangeEnd changeEnd;
    private long changeOffset;
    private long changeLength;
    private int parts;
    private int error;
    private long errorOffset;

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
        changeEnd = null;
        parts = 1;
        error = 0;
        errorOffset = NOWHERE;
        endNanos = 0;
    }

    /** What the client asked for. */
    public Operation operation() {
        return operation;
    }

    /** {@link System#nanoTime()} when the request had arrived; its deadline counts from there. */
    public long startNanos() {
        return startNanos;
    }

    /** Has {@code end} told before the client is: the request changes the pages of a range, and has not ended until then. */
    public void changes(ChangeEnd end, long offset, long length) {
        changeEnd = end;
        changeOffset = offset;
        changeLength = length;
    }

    /** One more part is under way. */
    public void addPart() {
        parts++;
    }

    /** Takes back an {@link #addPart}; others are left. */
    public void removePart() {
        parts--;
    }

    /** Keeps the first error. */
    public void fail(NbdError with) {
        fail(with.code());
    }

    /** Keeps the first error. */
    public void fail(int code) {
        if (error == 0) {
            error = code;
        }
    }

    /** Keeps the first error, which is that of the page of a byte of the device. */
    void failAt(NbdError with, long offset) {
        failAt(with.code(), offset);
    }

    /** The same. */
    void failAt(int code, long offset) {
        if (error == 0) {
            error = code;
            errorOffset = offset;
        }
    }

    /** A defect has ended one of the parts: the request fails, and nothing else does. */
    public void fail(Throwable defect) {
        LOG.error("a {} has failed by a defect; it ends with an I/O error", operation, defect);
        fail(NbdError.EIO);
    }

    /** Ends one part, and with the last the request. */
    public void endPart() {
        endNanos = 0;
        endSplitting();
    }

    /** Ends one part at a time that is known, and with the last the request. */
    void endPart(long now) {
        endNanos = now;
        endSplitting();
    }

    /**
     * Ends the part that stands for the splitting; the request too, if all others have ended while it lasted. Throws nothing: who
     * is told that a request has ended cannot end another one's.
     */
    public void endSplitting() {
        if (--parts == 0) {
            try {
                end();
            } catch (RuntimeException | Error e) {
                LOG.error("telling the end of a {} has failed by a defect", operation, e);
            }
        }
    }

    private void end() {
        Completion whenDone = completion;
        completion = null;
        ChangeEnd change = changeEnd;
        changeEnd = null;
        int code = error;
        long at = errorOffset;
        long nanos = endNanos;
        if (change != null) {
            change.changed(changeOffset, changeLength);
        }
        loop.release(this);
        if (whenDone == null) {
            return;
        }
        if (at != NOWHERE) {
            whenDone.completeAt(code, at);
        } else if (nanos == 0) {
            whenDone.complete(code);
        } else {
            whenDone.complete(code, nanos);
        }
    }

    /** Who has to know when pages change no more. */
    @FunctionalInterface
    public interface ChangeEnd {

        /** The pages of a range have the new bytes, or will not have them; the client has not been told yet. */
        void changed(long offset, long length);
    }
}
