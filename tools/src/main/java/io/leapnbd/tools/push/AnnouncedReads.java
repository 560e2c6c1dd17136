package io.leapnbd.tools.push;

import io.leapnbd.prefetch.push.TargetMemory;
import io.leapnbd.tools.linux.ProcessMemory;
import java.util.concurrent.atomic.AtomicReference;
import org.jspecify.annotations.Nullable;

/**
 * Tells the server of the swap device which pages the kernel is about to be asked for, if there is such a server here: it fetches them all at
 * once, ahead of the kernel's reads, which come a few at a time. It does not learn from these reads either.
 *
 * <p>The agent's thread, except where it says otherwise.
 */
final class AnnouncedReads {

    private final long[] places = new long[TargetMemory.MOST_AT_ONCE];

    /** Made by another thread, for this one to take over. */
    private final AtomicReference<@Nullable SwapServer> next = new AtomicReference<>();

    private volatile @Nullable SwapServer server;
    private volatile long announced;
    private volatile long dropped;

    AnnouncedReads() {}

    /** A connection that is used from now on. Any thread. */
    void use(SwapServer fresh) {
        SwapServer unused = next.getAndSet(fresh);
        if (unused != null) {
            unused.close();
        }
    }

    /** Whether there is a connection, or one is to be taken over. Any thread. */
    boolean connected() {
        return server != null || next.get() != null;
    }

    /** Where the server is that is told; null if none is. Any thread. */
    @Nullable
    String uri() {
        SwapServer told = server;
        SwapServer later = next.get();
        return told != null ? told.uri() : later != null ? later.uri() : null;
    }

    /** These pages of a process will be asked for now. */
    @SuppressWarnings("NonAtomicVolatileUpdate") // one writer
    void announce(ProcessMemory memory, long[] pages, int count) {
        if (next.get() != null) {
            close();
            server = next.getAndSet(null);
        }
        SwapServer told = server;
        if (told == null) {
            return;
        }
        int there = memory.places(pages, count, told.area(), places);
        int taken = there == 0 ? 0 : told.announce(places, count);
        if (taken < 0) {
            close();
        }
        announced += Math.max(0, taken);
        dropped += there - Math.max(0, taken);
    }

    /** Pages that a server was told of. Any thread. */
    long announced() {
        return announced;
    }

    /** Pages that it was not told of, because it was told of many at the time or was gone. Any thread. */
    long dropped() {
        return dropped;
    }

    /** Hangs up; when the agent's thread has ended, any may. */
    void close() {
        SwapServer told = server;
        server = null;
        if (told != null) {
            told.close();
        }
    }
}
