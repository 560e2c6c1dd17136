package io.leapnbd.bypass.spill;

import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The threads that wait for the disk, so that no event loop does. A task begins when no earlier one is in its way ({@link SpillTask#waitsFor}), so
 * pages are changed in the order in which that was asked for. Those that are not in each other's way may end in any order.
 *
 * <p>How many tasks there are is bounded by those who submit them: each has a fixed number. Any thread.
 */
public final class SpillThreads implements AutoCloseable {

    private static final Logger LOG = LoggerFactory.getLogger(SpillThreads.class);

    /** What a disk of today is kept busy by, with requests of a page; a turning one has no use for more than one. */
    private static final int THREADS = 4;

    private static final long CLOSE_MILLIS = 5_000;

    private final ReentrantLock lock = new ReentrantLock();
    private final Condition changed = lock.newCondition();
    private final List<Thread> threads = new ArrayList<>();
    private final @Nullable SpillTask[] running = new SpillTask[THREADS];
    private @Nullable SpillTask first;
    private @Nullable SpillTask last;
    private final AtomicInteger waiting = new AtomicInteger();
    private boolean closed;

    /** Starts them. They inherit scheduling class and flags of the thread that calls. */
    SpillThreads() {
        for (int i = 0; i < THREADS; i++) {
            int own = i;
            threads.add(Thread.ofPlatform().daemon().name("spill-" + i).start(() -> work(own)));
        }
    }

    /** Has something done. It is nowhere else. False if nothing is done any more. */
    public boolean submit(SpillTask task) {
        lock.lock();
        try {
            if (closed) {
                return false;
            }
            task.next = null;
            SpillTask before = last;
            if (before == null) {
                first = task;
            } else {
                before.next = task;
            }
            last = task;
            waiting.incrementAndGet();
            changed.signal();
            return true;
        } finally {
            lock.unlock();
        }
    }

    /** Has a task not begun any more, if it has not yet. */
    public void cancel(SpillTask task) {
        lock.lock();
        try {
            SpillTask before = null;
            for (SpillTask one = first; one != null; one = one.next) {
                if (one.equals(task)) {
                    remove(before, one);
                    changed.signalAll();
                    return;
                }
                before = one;
            }
        } finally {
            lock.unlock();
        }
    }

    /** How many tasks have not begun. */
    public int waiting() {
        return waiting.get();
    }

    private void work(int own) {
        while (true) {
            SpillTask task = take(own);
            if (task == null) {
                return;
            }
            try {
                task.run();
            } catch (RuntimeException | Error e) {
                LOG.error("a task of the spill has failed by a defect", e);
            }
        }
    }

    /** The first that is in nobody's way; null at the end. What this thread has done is not in the way any more. */
    private @Nullable SpillTask take(int own) {
        lock.lock();
        try {
            running[own] = null;
            changed.signalAll();
            while (true) {
                if (closed) {
                    return null;
                }
                SpillTask found = removeFirstFree();
                if (found != null) {
                    running[own] = found;
                    return found;
                }
                changed.awaitUninterruptibly();
            }
        } finally {
            lock.unlock();
        }
    }

    private @Nullable SpillTask removeFirstFree() {
        SpillTask before = null;
        for (SpillTask task = first; task != null; task = task.next) {
            if (isFree(task)) {
                remove(before, task);
                return task;
            }
            before = task;
        }
        return null;
    }

    private boolean isFree(SpillTask task) {
        for (SpillTask one : running) {
            if (one != null && task.waitsFor(one)) {
                return false;
            }
        }
        for (SpillTask one = first; one != null && !one.equals(task); one = one.next) {
            if (task.waitsFor(one)) {
                return false;
            }
        }
        return true;
    }

    private void remove(@Nullable SpillTask before, SpillTask task) {
        if (before == null) {
            first = task.next;
        } else {
            before.next = task.next;
        }
        if (task.equals(last)) {
            last = before;
        }
        task.next = null;
        waiting.decrementAndGet();
    }

    /** Begins nothing any more, and waits for what is under way; false if the disk does not end it. */
    boolean end() {
        lock.lock();
        try {
            closed = true;
            changed.signalAll();
        } finally {
            lock.unlock();
        }
        long deadline = System.nanoTime() + TimeUnit.MILLISECONDS.toNanos(CLOSE_MILLIS);
        try {
            for (Thread thread : threads) {
                long left = TimeUnit.NANOSECONDS.toMillis(deadline - System.nanoTime());
                if (!thread.join(Duration.ofMillis(Math.max(1, left)))) {
                    return false;
                }
            }
            return true;
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            return false;
        }
    }

    @Override
    public void close() {
        boolean _ = end();
    }
}
