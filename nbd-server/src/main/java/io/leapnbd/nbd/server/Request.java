package io.leapnbd.nbd.server;

import io.leapnbd.nbd.spi.Command;
import io.leapnbd.nbd.spi.Completion;
import io.leapnbd.nbd.spi.DeviceQueue;
import io.netty.buffer.ByteBuf;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * One request in the device, and its completion. Pooled by its {@link TransmissionPhase}, so that a request allocates
 * nothing; everything here belongs to the connection's event loop.
 */
final class Request implements Completion, DeviceQueue.ExtentSink {

    private final TransmissionPhase phase;

    /** The next one in the pool. */
    @Nullable
    Request next;

    Command command = Command.READ;
    long cookie;
    long offset;
    long length;
    int flags;
    long startNanos;

    /** Bytes that were taken from the connection's credit for {@link #buffer}. */
    long credit;

    /** What it counts for among the connection's requests. */
    int weight;

    /** A read's reply with room for its header, a write's payload, or a block status reply; else null. */
    @Nullable
    ByteBuf buffer;

    /** Whether the device, or a payload that is still arriving, has it. */
    boolean active;

    private long errorOffset = -1;
    private int extents;
    private int lastFlags;
    private long lastLength;

    Request(TransmissionPhase phase) {
        this.phase = phase;
    }

    @Override
    public void complete(int error) {
        phase.complete(this, error, System.nanoTime());
    }

    @Override
    public void complete(int error, long nanos) {
        phase.complete(this, error, nanos);
    }

    @Override
    public void completeAt(int error, long place) {
        errorOffset = place;
        phase.complete(this, error, System.nanoTime());
    }

    /** Takes the place of a failure that {@link #completeAt} has told, or -1. */
    long takeErrorOffset() {
        long place = errorOffset;
        errorOffset = -1;
        return place;
    }

    @Override
    public long submittedNanos() {
        return phase.turnNanos();
    }

    /** The buffer of a request that has one. */
    ByteBuf presentBuffer() {
        return Objects.requireNonNull(buffer);
    }

    void startExtents() {
        extents = 0;
    }

    /** Extents that were told so far, neighbours of the same kind counting as one. */
    int extents() {
        return extents;
    }

    @Override
    public void extent(long extentLength, int extentFlags) {
        ByteBuf reply = buffer;
        if (reply == null || extentLength <= 0) {
            throw new IllegalArgumentException("an extent of " + extentLength + " bytes, or after the completion");
        }
        if (extents > 0 && extentFlags == lastFlags) {
            lastLength += extentLength;
        } else {
            extents++;
            lastFlags = extentFlags;
            lastLength = extentLength;
        }
        ReplyWriter.setExtent(reply, extents - 1, lastLength, lastFlags);
    }
}
