package io.leapnbd.bypass.queued;

import io.leapnbd.nbd.spi.Completion;
import io.netty.buffer.ByteBuf;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * One request on its way through the queue, with the neighbours that were merged into it; what {@code struct bio} and
 * {@code struct request} are together. Belongs to its submitter's loop until it is in the elevator, to the elevator until it is
 * dispatched, and then to the submitter's loop again.
 */
final class Bio {

    /** What it does; only the first two are sorted and merged. */
    enum Kind {
        READ,
        WRITE,
        TRIM,
        WRITE_ZEROES
    }

    final StagingQueue from;
    final Kind kind;
    final long offset;
    final Completion completion;
    final long submitNanos;
    final @Nullable ByteBuf buffer;
    final int index;
    final long bytes;

    /** Of a write: as safe as a flush makes it. */
    final boolean fua;

    /** Of zeroes: the memory stays; and whether it must be fast. */
    final boolean noHole;

    final boolean fast;

    /** What was merged behind this, in order of offsets; empty unless this heads a merged request. */
    private final List<Bio> tail = new ArrayList<>(0);

    private long mergedBytes;

    /** When the elevator passes it over no longer; {@code rq->fifo_time}. */
    long expireNanos;

    Bio(
            StagingQueue from,
            Kind kind,
            long offset,
            long bytes,
            @Nullable ByteBuf buffer,
            int index,
            boolean fua,
            boolean noHole,
            boolean fast,
            Completion completion) {
        this.from = from;
        this.kind = kind;
        this.offset = offset;
        this.bytes = bytes;
        this.buffer = buffer;
        this.index = index;
        this.fua = fua;
        this.noHole = noHole;
        this.fast = fast;
        this.completion = completion;
        submitNanos = System.nanoTime();
        mergedBytes = bytes;
    }

    /** The byte after the last one of all that is merged. */
    long end() {
        return offset + mergedBytes;
    }

    /** Bytes of all that is merged. */
    long length() {
        return mergedBytes;
    }

    boolean merged() {
        return !tail.isEmpty();
    }

    /** All that is merged, in order. */
    List<Bio> parts() {
        List<Bio> all = new ArrayList<>(1 + tail.size());
        all.add(this);
        all.addAll(tail);
        return all;
    }

    /** Takes another one in that begins where this ends, if they are of a kind and not too large together: a back merge. */
    boolean takeBehind(Bio next, int limit) {
        boolean fits = kind == next.kind
                && (kind == Kind.READ || kind == Kind.WRITE)
                && from == next.from
                && fua == next.fua
                && end() == next.offset
                && length() + next.length() <= limit;
        if (fits) {
            tail.addAll(next.parts());
            next.tail.clear();
            mergedBytes += next.mergedBytes;
            next.mergedBytes = next.bytes;
        }
        return fits;
    }
}
