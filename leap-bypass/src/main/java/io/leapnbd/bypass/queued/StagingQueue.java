package io.leapnbd.bypass.queued;

import io.leapnbd.nbd.spi.Completion;
import io.leapnbd.nbd.spi.DeviceQueue;
import io.leapnbd.nbd.spi.NbdError;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.PooledByteBufAllocator;
import io.netty.channel.EventLoop;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * One connection's way into a {@link QueuedDevice}: the submitter's plug ({@code struct blk_plug}), and the place where its
 * requests are posted and their ends are handed on. On its event loop.
 */
final class StagingQueue implements DeviceQueue {

    /** {@code BLK_MAX_REQUEST_COUNT}: a plug with so many requests is let go. */
    static final int PLUG = 32;

    private final QueuedDevice device;
    private final DeviceQueue behind;
    private final EventLoop loop;
    private final StagingObserver observer;
    private List<Bio> plug = new ArrayList<>(PLUG);

    StagingQueue(QueuedDevice device, DeviceQueue behind, EventLoop loop, StagingObserver observer) {
        this.device = device;
        this.behind = behind;
        this.loop = loop;
        this.observer = observer;
    }

    EventLoop loop() {
        return loop;
    }

    @Override
    public void read(long offset, int length, ByteBuf into, int index, Completion completion) {
        stage(new Bio(this, Bio.Kind.READ, offset, length, into, index, false, false, false, completion));
    }

    @Override
    public void write(long offset, int length, ByteBuf from, int index, boolean fua, Completion completion) {
        stage(new Bio(this, Bio.Kind.WRITE, offset, length, from, index, fua, false, false, completion));
    }

    @Override
    public void trim(long offset, long length, boolean fua, Completion completion) {
        stage(new Bio(this, Bio.Kind.TRIM, offset, length, null, 0, fua, false, false, completion));
    }

    @Override
    public void writeZeroes(
            long offset, long length, boolean noHole, boolean fast, boolean fua, Completion completion) {
        stage(new Bio(this, Bio.Kind.WRITE_ZEROES, offset, length, null, 0, fua, noHole, fast, completion));
    }

    /** Not staged: a flush is a request of its own to a block layer too, and this device has nothing to flush. */
    @Override
    public void flush(Completion completion) {
        behind.flush(completion);
    }

    /** Not staged: a block layer has no such request. */
    @Override
    public void cache(long offset, long length, Completion completion) {
        behind.cache(offset, length, completion);
    }

    /** Not staged: a block layer has no such request. */
    @Override
    public void blockStatus(long offset, long length, int maxExtents, ExtentSink sink, Completion completion) {
        behind.blockStatus(offset, length, maxExtents, sink, completion);
    }

    /** {@code blk_attempt_plug_merge}, then {@code blk_add_rq_to_plug}. */
    private void stage(Bio bio) {
        Bio last = plug.isEmpty() ? null : plug.getLast();
        if (last != null && last.takeBehind(bio, Elevator.MAX_BYTES)) {
            return;
        }
        plug.add(bio);
        if (plug.size() == PLUG) {
            unplug();
        }
    }

    /** {@code blk_finish_plug}: the submitter has no more for now. */
    @Override
    public void endOfTurn() {
        unplug();
        behind.endOfTurn();
    }

    private void unplug() {
        if (!plug.isEmpty()) {
            List<Bio> held = plug;
            plug = new ArrayList<>(PLUG);
            device.insert(held);
        }
    }

    /** {@code nbd_queue_rq}: posts one request, merged or not. */
    void dispatch(Bio bio) {
        long now = System.nanoTime();
        for (Bio part : bio.parts()) {
            observer.staged(part.kind != Bio.Kind.READ, now - part.submitNanos);
        }
        ByteBuf buffer = bio.buffer;
        switch (bio.kind) {
            case READ -> {
                if (bio.merged() || buffer == null) {
                    readMerged(bio);
                } else {
                    behind.read(bio.offset, (int) bio.bytes, buffer, bio.index, error -> ended(bio, error, null));
                }
            }
            case WRITE -> {
                if (bio.merged() || buffer == null) {
                    writeMerged(bio);
                } else {
                    behind.write(
                            bio.offset, (int) bio.bytes, buffer, bio.index, bio.fua, error -> ended(bio, error, null));
                }
            }
            case TRIM -> behind.trim(bio.offset, bio.bytes, bio.fua, error -> ended(bio, error, null));
            case WRITE_ZEROES ->
                behind.writeZeroes(
                        bio.offset, bio.bytes, bio.noHole, bio.fast, bio.fua, error -> ended(bio, error, null));
        }
        behind.endOfTurn();
    }

    /** A kernel has scatter lists for this; here the bytes of a merged request are copied once. */
    private void readMerged(Bio bio) {
        int length = (int) bio.length();
        ByteBuf whole = PooledByteBufAllocator.DEFAULT.directBuffer(length, length);
        behind.read(bio.offset, length, whole, 0, error -> {
            if (error != 0) {
                whole.release();
                oneByOne(bio);
                return;
            }
            for (Bio part : bio.parts()) {
                ByteBuf into = part.buffer;
                if (into != null) {
                    into.setBytes(part.index, whole, (int) (part.offset - bio.offset), (int) part.bytes);
                }
            }
            ended(bio, error, whole);
        });
    }

    /**
     * A merged request has failed: its parts are submitted each by itself, so that one lost page is the error of whoever asked for
     * it and not of its neighbours, who did not ask to be merged. They keep their time, and with it their deadline.
     */
    private void oneByOne(Bio bio) {
        List<Bio> parts = bio.parts();
        int[] left = {parts.size()};
        for (Bio part : parts) {
            Completion alone = new Alone(part, () -> {
                if (--left[0] == 0) {
                    device.giveTagBack();
                }
            });
            ByteBuf buffer = part.buffer;
            if (buffer == null) {
                alone.complete(NbdError.EIO.code());
            } else if (part.kind == Bio.Kind.READ) {
                behind.read(part.offset, (int) part.bytes, buffer, part.index, alone);
            } else {
                behind.write(part.offset, (int) part.bytes, buffer, part.index, part.fua, alone);
            }
        }
        behind.endOfTurn();
    }

    /** The end of one part that is submitted by itself. */
    private final class Alone implements Completion {

        private final Bio part;
        private final Runnable ended;

        Alone(Bio part, Runnable ended) {
            this.part = part;
            this.ended = ended;
        }

        @Override
        public void complete(int error) {
            ended.run();
            loop.execute(() -> part.completion.complete(error));
        }

        @Override
        public void completeAt(int error, long offset) {
            ended.run();
            loop.execute(() -> part.completion.completeAt(error, offset));
        }

        @Override
        public long submittedNanos() {
            return part.submitNanos;
        }
    }

    private void writeMerged(Bio bio) {
        int length = (int) bio.length();
        ByteBuf whole = PooledByteBufAllocator.DEFAULT.directBuffer(length, length);
        for (Bio part : bio.parts()) {
            ByteBuf from = part.buffer;
            if (from != null) {
                whole.writeBytes(from, part.index, (int) part.bytes);
            }
        }
        behind.write(bio.offset, length, whole, 0, bio.fua, error -> {
            if (error != 0) {
                whole.release();
                oneByOne(bio);
            } else {
                ended(bio, error, whole);
            }
        });
    }

    /** {@code blk_mq_complete_request}: the tag goes back, and the end is told outside of where it was noticed. */
    private void ended(Bio bio, int error, @Nullable ByteBuf whole) {
        if (whole != null) {
            whole.release();
        }
        device.giveTagBack();
        loop.execute(() -> {
            for (Bio part : bio.parts()) {
                part.completion.complete(error);
            }
        });
    }

    @Override
    public void close() {
        unplug();
        behind.close();
    }
}
