package io.leapnbd.bypass.path;

import io.leapnbd.bypass.link.DonorLink;
import io.leapnbd.bypass.link.LinkRequest;
import io.leapnbd.bypass.link.LinkRequest.Outcome;
import io.leapnbd.bypass.map.StateFile;
import io.leapnbd.donor.protocol.Operation;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import java.nio.ByteBuffer;
import java.util.concurrent.atomic.AtomicIntegerArray;
import java.util.concurrent.atomic.AtomicLongArray;
import java.util.function.LongSupplier;
import java.util.function.Supplier;

/**
 * Brings the server's note to every donor when it has changed, so that a next server without this one's state file knows what was
 * lost (docs/ownership.md, "Lost pages"). A donor that is not connected gets it once it is. Every loop calls {@link #spread} when it
 * ticks; for each donor one of them sends.
 */
public final class NoteSpreader {

    private final LongSupplier version;
    private final Supplier<ByteBuffer> encoded;

    /** The version that each donor has acknowledged. */
    private final AtomicLongArray acknowledged;

    /** Not zero: a loop is sending to the donor. */
    private final AtomicIntegerArray sending;

    /**
     * Of one server.
     *
     * @param version of the note; grows with every change
     * @param encoded the note as it is now, of that version or a later one
     */
    public NoteSpreader(LongSupplier version, Supplier<ByteBuffer> encoded) {
        this.version = version;
        this.encoded = encoded;
        acknowledged = new AtomicLongArray(StateFile.MAX_DONORS);
        sending = new AtomicIntegerArray(StateFile.MAX_DONORS);
    }

    /** Whether a donor has acknowledged the note of a version, or a later one. Any thread. */
    public boolean hasReached(int donor, long noteVersion) {
        return acknowledged.get(donor) >= noteVersion;
    }

    /** Sends the note to the donors that do not have it, over one loop's links. On that loop. */
    public void spread(DeviceLoop loop) {
        long now = version.getAsLong();
        for (int donor = 0; donor < loop.links(); donor++) {
            DonorLink link = loop.link(donor);
            if (acknowledged.get(donor) < now && link.ready() && sending.compareAndSet(donor, 0, 1)) {
                send(loop, donor);
            }
        }
    }

    private void send(DeviceLoop loop, int donor) {
        ByteBuf note = Unpooled.directBuffer().writeBytes(encoded.get());
        // It begins with its version, which may be later than the one that was asked for.
        long noteVersion = note.getLong(0);
        LinkRequest request = loop.newRequest();
        request.operation = Operation.NOTE;
        request.slab = 0;
        request.offset = 0;
        request.length = note.readableBytes();
        request.version = noteVersion;
        request.buffer = note;
        request.bufferIndex = 0;
        request.startNanos = loop.now();
        request.deadlineNanos = loop.deadline(request.startNanos);
        request.completion = (done, now) -> {
            if (done.outcome == Outcome.OK) {
                acknowledged.set(donor, noteVersion);
            }
            loop.release(done);
            note.release();
            sending.set(donor, 0);
        };
        loop.post(request, donor);
        loop.link(donor).flush();
    }
}
