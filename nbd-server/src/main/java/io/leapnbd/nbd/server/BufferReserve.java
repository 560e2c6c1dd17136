package io.leapnbd.nbd.server;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.PooledByteBufAllocator;
import io.netty.channel.EventLoopGroup;
import io.netty.util.concurrent.EventExecutor;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;

/**
 * Buffers for a group of event loops whose memory is taken, touched and kept before the first request comes. Netty's pool
 * gives a chunk of 4 MiB back as soon as nothing in it is used, and takes a new one for the next burst: on a machine that
 * is out of memory, which is when a swap device has most to do, that next one may never come. Here one small buffer stays
 * allocated in every chunk of the reserve, so that none is ever given back.
 *
 * <pre>
 *   chunk, 4 MiB  | free for buffers of up to 3.5 MiB            | pin, 64 KiB |
 * </pre>
 *
 * Every loop has an arena of its own, so that loops do not wait for each other. What goes beyond the reserve, and single
 * buffers of more than a chunk, come from the system as ever.
 */
public final class BufferReserve implements AutoCloseable {

    private static final int PAGE = 8192;
    private static final int CHUNK_ORDER = 9;
    private static final int SMALL_CHUNK_ORDER = 7;

    /** Too large for a thread's cache, which would keep a released pin for itself. */
    private static final int PIN = 64 << 10;

    /** A chunk less its pin, in sizes that the pool does not round up: the three together fill a chunk. */
    private static final int[] BODY = {7 << 19, 7 << 16};

    private static final int[] SMALL_BODY = {7 << 17, 64 << 10};

    private final int chunkSize;
    private final int[] body;
    private final PooledByteBufAllocator allocator;
    private final List<ByteBuf> pins = new CopyOnWriteArrayList<>();
    private final List<Chunk> chunks = new CopyOnWriteArrayList<>();

    private BufferReserve(int arenas, int chunkOrder, int[] body) {
        chunkSize = PAGE << chunkOrder;
        this.body = body;
        allocator = new PooledByteBufAllocator(
                true,
                0,
                arenas,
                PAGE,
                chunkOrder,
                PooledByteBufAllocator.defaultSmallCacheSize(),
                PooledByteBufAllocator.defaultNormalCacheSize(),
                false);
    }

    /**
     * Takes the memory. Returns when every loop has its share; must not be called by one of them.
     *
     * @param bytesPerLoop rounded up to 4 MiB; a connection that Linux swaps over can have 16 MiB under way
     * @throws OutOfMemoryError when the process may not have that much direct memory
     */
    public static BufferReserve open(EventLoopGroup group, long bytesPerLoop) {
        return open(group, bytesPerLoop, CHUNK_ORDER, BODY);
    }

    /**
     * The same in chunks of 1 MiB, for loops that need little.
     *
     * @param bytesPerLoop rounded up to 1 MiB
     * @throws OutOfMemoryError when the process may not have that much direct memory
     */
    public static BufferReserve openSmall(EventLoopGroup group, long bytesPerLoop) {
        return open(group, bytesPerLoop, SMALL_CHUNK_ORDER, SMALL_BODY);
    }

    private static BufferReserve open(EventLoopGroup group, long bytesPerLoop, int chunkOrder, int[] body) {
        int loops = 0;
        for (EventExecutor _ : group) {
            loops++;
        }
        BufferReserve reserve = new BufferReserve(loops, chunkOrder, body);
        int chunks = Math.toIntExact(Math.ceilDiv(bytesPerLoop, reserve.chunkSize));
        for (EventExecutor loop : group) {
            // One after the other, so that each finds an arena that has no thread yet.
            loop.submit(() -> reserve.fill(chunks)).syncUninterruptibly();
        }
        return reserve;
    }

    private void fill(int count) {
        List<ByteBuf> bodies = new ArrayList<>();
        try {
            for (int i = 0; i < count; i++) {
                long first = Long.MAX_VALUE;
                for (int size : body) {
                    ByteBuf part = allocator.directBuffer(size);
                    bodies.add(part);
                    part.setZero(0, size);
                    first = Math.min(first, part.memoryAddress());
                }
                ByteBuf pin = allocator.directBuffer(PIN);
                pins.add(pin);
                chunks.add(new Chunk(Math.min(first, pin.memoryAddress()), chunkSize));
            }
        } finally {
            bodies.forEach(ByteBuf::release);
        }
    }

    /** Where the server and its devices take buffers from. */
    public PooledByteBufAllocator allocator() {
        return allocator;
    }

    /** Where the reserve is; it stays there until {@link #close}. */
    public List<Chunk> chunks() {
        return chunks;
    }

    /**
     * A range of memory.
     *
     * @param address of its first byte
     * @param length bytes
     */
    public record Chunk(long address, long length) {}

    /** Bytes that are taken from the system now; more than the reserve after a burst that it could not hold. */
    public long bytes() {
        return allocator.metric().usedDirectMemory();
    }

    /** Lets the memory go, once the buffers that are in use are back. Any thread. */
    @Override
    public void close() {
        pins.forEach(ByteBuf::release);
        pins.clear();
    }
}
