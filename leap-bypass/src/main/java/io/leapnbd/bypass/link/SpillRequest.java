package io.leapnbd.bypass.link;

import io.leapnbd.bypass.spill.SpillTask;
import io.leapnbd.donor.memory.RawMemory;
import io.leapnbd.donor.protocol.Operation;
import io.leapnbd.donor.protocol.Protocol;
import io.leapnbd.donor.protocol.ProtocolException;
import io.leapnbd.donor.protocol.SlabCopies;
import io.leapnbd.donor.protocol.Status;
import io.leapnbd.donor.store.Claim;
import io.leapnbd.donor.store.FileBackedStore;
import io.leapnbd.donor.store.Granted;
import io.netty.buffer.ByteBuf;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.util.concurrent.RejectedExecutionException;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * One request to the spill, on its way to a thread that waits for the disk and back. It has copies of all that it needs: the request that it stands
 * for may end meanwhile. Used again and again.
 */
final class SpillRequest extends SpillTask {

    private static final Logger LOG = LoggerFactory.getLogger(SpillRequest.class);
    private static final long[] NOTHING_LOST = {};
    private static final ByteBuffer NOTHING = ByteBuffer.allocate(0);

    private final SpillRequests pool;
    private final Runnable arrival = this::arrived;

    /** On the loop: for what and whom; null once that has ended. */
    private @Nullable LinkRequest request;

    private @Nullable SpillSession session;

    /** Its place among those under way. */
    int place;

    // What is asked.

    private byte operation;
    private int slab;
    private int offset;
    private int length;
    private long version;
    private @Nullable Claim claim;
    private long buffer;
    private int bufferLength;
    private boolean filling;
    private long @Nullable [] lost;
    private @Nullable SlabCopies copies;
    private ByteBuffer note = NOTHING;

    // What it came to.

    private byte status;
    private boolean failed;
    private int grantedHandle;

    SpillRequest(SpillRequests pool) {
        this.pool = pool;
    }

    /** Copies what is asked. On the loop. */
    void begin(LinkRequest asked, SpillSession by, long memory, int memoryLength) {
        request = asked;
        session = by;
        operation = asked.operation;
        slab = asked.slab;
        offset = asked.offset;
        length = asked.length;
        version = asked.version;
        claim = by.claim();
        buffer = memory;
        bufferLength = memoryLength;
        filling = asked.filling;
        lost = asked.lost;
        copies = null;
        note = NOTHING;
        failed = false;
        grantedHandle = 0;
        switch (operation) {
            case Operation.READ -> is(Kind.READ, slab, offset, offset + length);
            case Operation.WRITE -> {
                is(Kind.CHANGE, slab, offset, offset + length);
                copyIn(asked.data(), asked.bufferIndex);
            }
            case Operation.TRIM, Operation.LOSE -> is(Kind.CHANGE, slab, offset, offset + length);
            case Operation.PING -> is(Kind.LAST, 0, 0, 0);
            case Operation.PLACE -> {
                is(Kind.ALONE, 0, 0, 0);
                try {
                    copies = SlabCopies.decodePlace(asked.data().slice(asked.bufferIndex, length));
                } catch (ProtocolException e) {
                    LOG.error("a placement that is none: {}", e.getMessage());
                }
            }
            case Operation.NOTE -> {
                is(Kind.ALONE, 0, 0, 0);
                byte[] body = new byte[length];
                asked.data().getBytes(asked.bufferIndex, body);
                note = ByteBuffer.wrap(body);
            }
            default -> is(Kind.ALONE, 0, 0, 0);
        }
    }

    private long firstByte() {
        return buffer + (offset & Protocol.PAGE_SIZE - 1);
    }

    private void copyIn(ByteBuf from, int index) {
        if (from.hasMemoryAddress()) {
            RawMemory.copy(from.memoryAddress() + index, firstByte(), length);
        } else {
            RawMemory.copyFrom(from, index, firstByte(), length);
        }
    }

    private void copyOut(ByteBuf to, int index) {
        if (to.hasMemoryAddress()) {
            RawMemory.copy(firstByte(), to.memoryAddress() + index, length);
        } else {
            RawMemory.copyTo(firstByte(), to, index, length);
        }
    }

    @Override
    protected void run() {
        try {
            Claim with = claim;
            status = with == null ? Status.NOT_CLAIMED : perform(pool.spill().store(), with);
        } catch (IOException | UncheckedIOException e) {
            failed = true;
            pool.spill().failed(e);
        } catch (RuntimeException | Error e) {
            failed = true;
            LOG.error("operation {} on the spill has failed by a defect", operation, e);
        }
        try {
            pool.loop().execute(arrival);
        } catch (RejectedExecutionException e) {
            LOG.debug("the loop of a request to the spill is gone already");
        }
    }

    private byte perform(FileBackedStore store, Claim with) throws IOException {
        return switch (operation) {
            case Operation.READ -> store.read(with, slab, offset, length, buffer);
            case Operation.WRITE -> store.write(with, slab, offset, length, version, buffer);
            case Operation.TRIM -> store.trim(with, slab, offset, length, version, buffer);
            case Operation.LOSE -> store.lose(with, slab, offset, length, version);
            case Operation.GRANT -> grant(store, with);
            case Operation.NOTE -> store.note(with, version, note);
            case Operation.PLACE -> {
                SlabCopies told = copies;
                yield told == null ? store.malformed(with) : store.place(with, slab, version, told);
            }
            case Operation.FREE -> {
                byte freed = store.free(with, slab, version);
                pool.spill().lent();
                yield freed;
            }
            case Operation.PING -> store.ping(with);
            default -> Status.BAD_REQUEST;
        };
    }

    private byte grant(FileBackedStore store, Claim with) {
        long[] told = lost;
        Granted granted = store.grant(
                with,
                slab,
                version,
                filling ? SlabCopies.FILLING : SlabCopies.ALONE,
                told == null ? NOTHING_LOST : told);
        grantedHandle = granted.handle();
        pool.spill().lent();
        return granted.status();
    }

    /** Back on the loop. */
    private void arrived() {
        SpillSession of = session;
        LinkRequest asked = request;
        boolean ok = !failed && status == Status.OK;
        if (of != null && asked != null) {
            of.remove(this);
            if (ok && operation == Operation.READ) {
                copyOut(asked.data(), asked.bufferIndex);
            }
            asked.grantedHandle = grantedHandle;
        }
        byte how = status;
        boolean not = failed;
        detach();
        claim = null;
        pool.giveBack(this);
        if (of != null && asked != null) {
            of.ended(asked, how, not);
        }
    }

    /** Its session has ended: what it comes to is of no use. Answers what it stood for. On the loop. */
    @Nullable
    LinkRequest detach() {
        LinkRequest stoodFor = request;
        request = null;
        session = null;
        return stoodFor;
    }

    @Nullable
    LinkRequest request() {
        return request;
    }

    long buffer() {
        return buffer;
    }

    int offset() {
        return offset;
    }

    int bufferLength() {
        return bufferLength;
    }
}
