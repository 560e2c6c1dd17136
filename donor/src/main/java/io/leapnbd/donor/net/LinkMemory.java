package io.leapnbd.donor.net;

import io.leapnbd.donor.tls.HandshakeLimit;
import io.netty.util.internal.PlatformDependent;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.LinkedHashSet;
import java.util.Set;
import java.util.concurrent.locks.ReentrantLock;

/**
 * The memory that all links of a listener have for requests that have not arrived whole and for replies that were not sent. A link
 * that wants more than there is waits in turn, and is not read meanwhile. So nothing is asked of the JDK that it could refuse, or make
 * a loop wait for.
 *
 * <p>{@link #GUARANTEED} bytes a link are set aside: requests for single pages never wait for others. Beyond that a link takes shared
 * memory, {@link #QUANTUM} bytes at a time.
 *
 * <p>What a link has received and cannot look at yet is counted, and never refused. For that the receive buffers become smaller when
 * memory is short. All bounds together are {@link #bound}.
 */
final class LinkMemory {

    /** Bytes that each link may use whatever others do. */
    static final int GUARANTEED = 16 << 10;

    /** Bytes that a link reads in a turn: a few dozen page writes, or part of a large one. */
    static final int RECEIVE = 256 << 10;

    /** Likewise when there is little memory left. */
    private static final int SMALL_RECEIVE = 16 << 10;

    /** What TLS may keep for a link: all of an unfinished handshake, later one record that has not arrived whole (17 KiB). */
    private static final int TLS_KEEPS = HandshakeLimit.MOST;

    private static final int QUANTUM = 64 << 10;

    /** Links that have claimed nothing have this part of the shared memory at most. */
    private static final int STRANGERS = 4;

    private final long total;
    private final ReentrantLock lock = new ReentrantLock();
    private final Deque<Account> waiting = new ArrayDeque<>();

    /** Negative if more was received than there is room for. Written under the lock. */
    private volatile long free;

    private volatile boolean contended;

    /** Shared bytes that links have which have claimed nothing. Under the lock. */
    private long strangers;

    /** Those that have some, the oldest first. Under the lock. */
    private final Set<Account> strangersWithMemory = new LinkedHashSet<>();

    /** Shared memory of so many bytes. */
    LinkMemory(long total) {
        this.total = total;
        free = total;
    }

    /** What links of a listener may take at most, in bytes of direct memory. */
    static long bound(ServerSettings settings, boolean tls) {
        return settings.memory()
                + (long) settings.maxLinks() * (GUARANTEED + SMALL_RECEIVE + (tls ? TLS_KEEPS : 0))
                // What was received, and over TLS what it says.
                + (long) settings.loops().count() * RECEIVE * (tls ? 2 : 1);
    }

    /**
     * Checks that the JDK has twice the {@link #bound}: buffers are cut out of larger pieces, some of which are not full.
     *
     * @throws IllegalArgumentException with one sentence that says what is wrong and what would be right
     */
    static void requireRoom(ServerSettings settings, boolean tls) {
        long limit = PlatformDependent.estimateMaxDirectMemory();
        long needed = 2 * bound(settings, tls);
        if (needed > limit) {
            throw new IllegalArgumentException("the donor's links may need " + (needed >> 20)
                    + " MiB of direct memory, but the limit is " + (limit >> 20)
                    + " MiB: allow fewer links, or raise -XX:MaxDirectMemorySize");
        }
    }

    /** Bytes that a link should read at once. Any thread. */
    int receiveBytes() {
        return free > total / 2 ? RECEIVE : free > total / 4 ? RECEIVE / 4 : SMALL_RECEIVE;
    }

    /** Whether links wait for memory. Any thread. */
    boolean contended() {
        return contended;
    }

    /** Shared bytes that are not taken. */
    long free() {
        return free;
    }

    /** Lets those that wait have what there is, in turn. Under the lock. */
    private void serveWaiting() {
        for (Account first = waiting.peek(); first != null; first = waiting.peek()) {
            long missing = first.missing(first.wanted);
            if (missing > free) {
                break;
            }
            waiting.remove();
            first.shift(missing);
            first.wanted = 0;
            first.resume.run();
        }
        contended = !waiting.isEmpty();
    }

    @SuppressWarnings("NonAtomicVolatileUpdate") // under the lock
    private void addFree(long bytes) {
        free += bytes;
    }

    /**
     * An account for a link.
     *
     * @param resume run when it is the link's turn
     * @param evict run when the link has to end, as it has claimed nothing and others need what it has
     */
    Account open(Runnable resume, Runnable evict) {
        return new Account(resume, evict);
    }

    /** What one link has. For its loop's thread. */
    final class Account {

        /** Run with the lock held when it is the link's turn; any thread. Must not block. */
        private final Runnable resume;

        /** Likewise, when the link has to end. */
        private final Runnable evict;

        /** What it uses. Under the lock while {@link #queued}. */
        private long held;

        /** What was taken of the shared memory, for the part of {@link #held} that is not guaranteed. Likewise. */
        private long shared;

        /** How much more it waits for; 0: it does not, or it is its turn. Under the lock. */
        private int wanted;

        /** From when it begins to wait until it knows that it is its turn. */
        private boolean queued;

        /** Whether the link has claimed nothing. Under the lock. */
        private boolean stranger = true;

        private Account(Runnable resume, Runnable evict) {
            this.resume = resume;
            this.evict = evict;
        }

        /** Takes so many shared bytes, or gives them back. Under the lock. */
        private void shift(long bytes) {
            addFree(-bytes);
            shared += bytes;
            if (stranger) {
                strangers += bytes;
                boolean _ = shared > 0 ? strangersWithMemory.add(this) : strangersWithMemory.remove(this);
            }
        }

        /**
         * Whether so many bytes may be taken. Links that have claimed nothing are anybody: together they have a quarter of the shared
         * memory at most. If this one would make it more, the one of them that has most is ended. If that is this one, the answer is no.
         */
        boolean mayTake(int bytes) {
            lock.lock();
            try {
                if (!stranger || missing(bytes) <= 0 || strangers + missing(bytes) <= total / STRANGERS) {
                    return true;
                }
                Account greediest = this;
                for (Account other : strangersWithMemory) {
                    if (other.shared > greediest.shared) {
                        greediest = other;
                    }
                }
                if (greediest == this) {
                    return false;
                }
                greediest.noStranger();
                greediest.evict.run();
                return true;
            } finally {
                lock.unlock();
            }
        }

        /** The link has claimed. */
        void claimed() {
            lock.lock();
            try {
                noStranger();
            } finally {
                lock.unlock();
            }
        }

        private void noStranger() {
            if (stranger) {
                stranger = false;
                strangers -= shared;
                boolean _ = strangersWithMemory.remove(this);
            }
        }

        /** Takes bytes if there are so many; otherwise waits in turn, and is resumed then. Not while it {@link #waits}. */
        boolean take(int bytes) {
            long missing = missing(bytes);
            if (missing > 0) {
                lock.lock();
                try {
                    if (!waiting.isEmpty() || missing > free) {
                        wanted = bytes;
                        queued = true;
                        waiting.add(this);
                        contended = true;
                        return false;
                    }
                    shift(missing);
                } finally {
                    lock.unlock();
                }
            }
            held += bytes;
            return true;
        }

        /** Takes bytes whether there are so many or not: of what is here already, or small. */
        void force(int bytes) {
            if (!queued && missing(bytes) <= 0) {
                held += bytes;
                return;
            }
            lock.lock();
            try {
                long missing = Math.max(0, missing(bytes));
                shift(missing);
                held += bytes;
            } finally {
                lock.unlock();
            }
        }

        /** Gives bytes back that were taken. */
        void give(long bytes) {
            if (!queued && shared <= roundUp(held - bytes - GUARANTEED)) {
                held -= bytes;
                return;
            }
            lock.lock();
            try {
                held -= bytes;
                // If it is its turn, what it waited for is its own.
                long needed = roundUp(held - GUARANTEED);
                if (shared > needed && (!queued || wanted > 0)) {
                    shift(needed - shared);
                    serveWaiting();
                }
            } finally {
                lock.unlock();
            }
        }

        /** Whether the link has to wait for its turn. */
        boolean waits() {
            return queued;
        }

        /** Ends the waiting; what it waited for may be taken now. */
        void resumed() {
            lock.lock();
            try {
                // Otherwise it was resumed for something else.
                queued = wanted > 0;
            } finally {
                lock.unlock();
            }
        }

        /** The link is gone: nothing is held. */
        void close() {
            lock.lock();
            try {
                waiting.remove(this);
                wanted = 0;
                queued = false;
                held = 0;
                shift(-shared);
                serveWaiting();
            } finally {
                lock.unlock();
            }
        }

        private long missing(int bytes) {
            return roundUp(held + bytes - GUARANTEED) - shared;
        }

        private static long roundUp(long bytes) {
            return bytes <= 0 ? 0 : (bytes + QUANTUM - 1) / QUANTUM * QUANTUM;
        }
    }
}
