package io.leapnbd.bypass.queued;

import java.util.ArrayDeque;
import java.util.Comparator;
import java.util.Iterator;
import java.util.Map;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;

/**
 * The deadline scheduler ({@code block/mq-deadline.c}), the default of Linux for a device with one hardware queue: requests of a
 * direction are sorted by offset and dispatched in batches along it, reads before writes, until writes have starved too often or
 * the oldest of a direction has expired. What is neither read nor write goes first, in order ({@code dd->dispatch}).
 *
 * <p>Not for several threads: the caller holds the queue's lock, as {@code dd->lock} is held.
 */
final class Elevator {

    /** Most bytes of a merged request: {@code max_sectors} of the nbd driver, 256 of 512 bytes. */
    static final int MAX_BYTES = 128 << 10;

    /** {@code fifo_batch}. */
    static final int BATCH = 16;

    /** {@code writes_starved}: so often reads go before waiting writes. */
    static final int WRITES_STARVED = 2;

    /** {@code read_expire}, half a second. */
    static final long READ_EXPIRE_NANOS = 500_000_000L;

    /** {@code write_expire}, five seconds. */
    static final long WRITE_EXPIRE_NANOS = 5_000_000_000L;

    private final Direction reads = new Direction(READ_EXPIRE_NANOS);
    private final Direction writes = new Direction(WRITE_EXPIRE_NANOS);
    private final ArrayDeque<Bio> others = new ArrayDeque<>();
    private @Nullable Direction current;
    private int batched;
    private int starved;

    /** Adds a request, merged into a neighbour where there is one ({@code dd_insert_request}, {@code dd_bio_merge}). */
    void insert(Bio bio) {
        switch (bio.kind) {
            case READ -> reads.insert(bio);
            case WRITE -> writes.insert(bio);
            case TRIM, WRITE_ZEROES -> others.addLast(bio);
        }
    }

    boolean isEmpty() {
        return others.isEmpty() && reads.isEmpty() && writes.isEmpty();
    }

    /** The request to dispatch next ({@code __dd_dispatch_request}); null when there is none. */
    @Nullable
    Bio next(long now) {
        Bio other = others.pollFirst();
        if (other != null) {
            return other;
        }
        Direction along = current;
        if (along != null && batched < BATCH) {
            Bio following = along.after();
            if (following != null) {
                batched++;
                return along.take(following);
            }
        }
        return beginBatch(now);
    }

    private @Nullable Bio beginBatch(long now) {
        Direction chosen;
        if (!reads.isEmpty() && (writes.isEmpty() || starved++ < WRITES_STARVED)) {
            chosen = reads;
        } else if (!writes.isEmpty()) {
            starved = 0;
            chosen = writes;
        } else {
            return null;
        }
        current = chosen;
        batched = 1;
        Bio oldest = chosen.expired(now);
        Bio following = chosen.after();
        Bio first = oldest != null ? oldest : following != null ? following : chosen.lowest();
        return first == null ? null : chosen.take(first);
    }

    /** The requests of one direction: sorted, and by age. */
    private static final class Direction {

        private final long expireNanos;

        /** By offset; requests of one offset by age ({@code sort_list}). */
        private final TreeMap<Position, Bio> sorted =
                new TreeMap<>(Comparator.comparingLong(Position::offset).thenComparingLong(Position::number));

        private final Map<Bio, Position> positions = new java.util.LinkedHashMap<>();
        private long number;
        private long lastEnd;

        private record Position(long offset, long number) {}

        Direction(long expireNanos) {
            this.expireNanos = expireNanos;
        }

        boolean isEmpty() {
            return sorted.isEmpty();
        }

        void insert(Bio bio) {
            Map.Entry<Position, Bio> before = sorted.lowerEntry(new Position(bio.offset, 0));
            if (before != null && before.getValue().takeBehind(bio, MAX_BYTES)) {
                return;
            }
            Map.Entry<Position, Bio> behind = sorted.ceilingEntry(new Position(bio.end(), 0));
            bio.expireNanos = bio.submitNanos + expireNanos;
            if (behind != null && bio.takeBehind(behind.getValue(), MAX_BYTES)) {
                // A front merge: the request keeps the age of the older one.
                bio.expireNanos = Math.min(bio.expireNanos, behind.getValue().expireNanos);
                remove(behind.getValue());
            }
            Position at = new Position(bio.offset, ++number);
            sorted.put(at, bio);
            positions.put(bio, at);
        }

        /** The one at or behind the end of the last one dispatched. */
        @Nullable
        Bio after() {
            Map.Entry<Position, Bio> entry = sorted.ceilingEntry(new Position(lastEnd, 0));
            return entry == null ? null : entry.getValue();
        }

        @Nullable
        Bio lowest() {
            Map.Entry<Position, Bio> entry = sorted.firstEntry();
            return entry == null ? null : entry.getValue();
        }

        /** The oldest, if it has waited too long. */
        @Nullable
        Bio expired(long now) {
            Iterator<Bio> oldest = positions.keySet().iterator();
            if (!oldest.hasNext()) {
                return null;
            }
            Bio first = oldest.next();
            return now - first.expireNanos >= 0 ? first : null;
        }

        Bio take(Bio bio) {
            remove(bio);
            lastEnd = bio.end();
            return bio;
        }

        private void remove(Bio bio) {
            Position at = positions.remove(bio);
            if (at != null) {
                sorted.remove(at);
            }
        }
    }
}
