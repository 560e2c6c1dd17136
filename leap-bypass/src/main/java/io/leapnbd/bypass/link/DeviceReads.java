package io.leapnbd.bypass.link;

import io.leapnbd.donor.protocol.SlabKey;
import io.leapnbd.donor.rdma.MemoryKeys;
import io.leapnbd.donor.rdma.Transfers;
import io.netty.buffer.ByteBuf;
import java.io.IOException;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * The reads that the device does on one connection, and which it may do: where the slab's key is known, the place is
 * registered, and no write to the pages is under way ({@link WriteWatch}). Background reads have half of the slots at most, and
 * never the last free one. What may be called off lands in {@link LandingFrames} and is copied, as far as there are any. For one thread.
 */
final class DeviceReads {

    private final Transfers transfers;
    private final MemoryKeys memory;
    private final WriteWatch watch;
    private final int slabSize;
    private final SlabKeys keys = new SlabKeys();
    private final @Nullable LandingFrames landing;

    // By slot.
    private final @Nullable LinkRequest[] requests;
    private final long[] stamps;
    private final int[] frames;
    private final int[] free;
    private int freeCount;
    private int background;

    /**
     * Of a new connection.
     *
     * @param memory where the device may put what it reads
     * @param slots reads that can be under way
     * @param slabSize bytes of a slab; one of another size is not read
     * @param landing for reads that may be called off; null if there are none
     */
    DeviceReads(
            Transfers transfers,
            MemoryKeys memory,
            int slots,
            WriteWatch watch,
            int slabSize,
            @Nullable LandingFrames landing) {
        this.transfers = transfers;
        this.memory = memory;
        this.watch = watch;
        this.slabSize = slabSize;
        this.landing = landing;
        requests = new LinkRequest[slots];
        stamps = new long[slots];
        frames = new int[slots];
        free = new int[slots];
        for (int i = 0; i < slots; i++) {
            free[i] = i;
            frames[i] = LandingFrames.NONE;
        }
        freeCount = slots;
    }

    /** What became of the attempt to begin a read. */
    enum Start {
        /** The device reads. */
        BEGUN,
        /** It may, but not now: all slots that the request could have are taken. */
        NO_SLOT,
        /** It may not: the donor has to be asked. */
        ASK,
        /** Likewise, and the slab's key should be asked for: nobody has yet. */
        ASK_ALSO_FOR_KEY
    }

    /**
     * Has the device read, if that is right.
     *
     * @param demandsWait a background read does not begin then
     * @throws IOException if the request could not be posted; it counts as begun all the same, as the connection is over
     */
    Start start(LinkRequest request, boolean demandsWait) throws IOException {
        int place = keys.find(request.slab);
        if (place == SlabKeys.UNKNOWN) {
            keys.asked(request.slab);
            return Start.ASK_ALSO_FOR_KEY;
        }
        ByteBuf data = request.data();
        if (keys.address(place) == 0 || !data.hasMemoryAddress()) {
            return Start.ASK;
        }
        long stamp = watch.stamp(request.position, request.length);
        if (stamp == WriteWatch.BUSY) {
            return Start.ASK;
        }
        if (request.background ? demandsWait || freeCount < 2 || background >= mostBackground() : freeCount == 0) {
            return Start.NO_SLOT;
        }
        int frame = landing == null || !request.calledOffAnyTime ? LandingFrames.NONE : landing.take(request.length);
        long to = landing == null || frame == LandingFrames.NONE
                ? data.memoryAddress() + request.bufferIndex
                : landing.address(frame);
        int localKey = memory.keyOf(to, request.length);
        if (localKey == MemoryKeys.NONE) {
            giveBack(frame);
            return Start.ASK;
        }
        int slot = free[--freeCount];
        frames[slot] = frame;
        stamps[slot] = stamp;
        requests[slot] = request;
        request.slot = slot;
        if (request.background) {
            background++;
        }
        transfers.read(slot, to, localKey, request.length, keys.address(place) + request.offset, keys.key(place));
        return Start.BEGUN;
    }

    private int mostBackground() {
        return Math.max(1, requests.length / 2);
    }

    /** Where a slab is, as the donor says; of one that it did not expose nothing is known. */
    void exposed(int slab, SlabKey key) {
        if (key.length() == slabSize) {
            keys.put(slab, key);
        }
    }

    /** Takes a read out that the device has done, with its bytes where they are wanted; null if there was none in the slot. */
    @Nullable
    LinkRequest done(int slot) {
        LinkRequest request = requests[slot];
        if (request != null && landing != null && frames[slot] != LandingFrames.NONE) {
            landing.copy(frames[slot], request.length, request.data(), request.bufferIndex);
        }
        return take(slot);
    }

    private @Nullable LinkRequest take(int slot) {
        LinkRequest request = requests[slot];
        if (request != null) {
            giveBack(frames[slot]);
            frames[slot] = LandingFrames.NONE;
            requests[slot] = null;
            free[freeCount++] = slot;
            if (request.background) {
                background--;
            }
        }
        return request;
    }

    private void giveBack(int frame) {
        if (landing != null && frame != LandingFrames.NONE) {
            landing.give(frame);
        }
    }

    /** Whether the device writes into a request's buffer by itself. */
    boolean writesInto(LinkRequest request) {
        return holds(request) && frames[request.slot] == LandingFrames.NONE;
    }

    /** Whether what the device has just read into a slot's buffer is right: no write to the pages has begun meanwhile. */
    boolean undisturbed(LinkRequest request, int slot) {
        return watch.undisturbed(request.position, request.length, stamps[slot]);
    }

    boolean holds(LinkRequest request) {
        return request.slot < requests.length && requests[request.slot] == request;
    }

    /** A background read, which may be under way here, has become a demand. */
    void promoted(LinkRequest request) {
        if (holds(request)) {
            background--;
        }
    }

    boolean isEmpty() {
        return freeCount == requests.length;
    }

    /** Shows all of them to somebody. */
    void each(Consumer<LinkRequest> to) {
        for (LinkRequest request : requests) {
            if (request != null) {
                to.accept(request);
            }
        }
    }

    boolean anyOverdue(Patience patience, long now, long heardNanos) {
        for (LinkRequest request : requests) {
            if (request != null && patience.isOver(request, now, heardNanos)) {
                return true;
            }
        }
        return false;
    }

    /** Takes out any one read, once the device reads no more; null when there is none left. */
    @Nullable
    LinkRequest removeAny() {
        for (int slot = 0; slot < requests.length; slot++) {
            LinkRequest request = take(slot);
            if (request != null) {
                return request;
            }
        }
        return null;
    }
}
