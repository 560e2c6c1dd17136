package io.leapnbd.prefetch.push;

import java.util.ArrayDeque;
import java.util.Deque;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * A kernel with one process, in which time passes only when the process works or waits: pages are resident, in the swap cache, on their way, or out.
 * The memory is a first-in first-out queue of a fixed length; what does not fit is paged out. {@link #touch} does what a program's access
 * does, and tells the pusher what perf would.
 */
final class ScriptedKernel implements TargetMemory {

    static final long READ_NANOS = 400_000;
    private static final long MINOR_NANOS = 10_000;

    /** When a page that is in the swap cache, or on its way there, is or was there. */
    private final Map<Long, Long> arrives = new HashMap<>();

    private final Set<Long> resident = new HashSet<>();
    private final Deque<Long> order = new ArrayDeque<>();
    private final long pages;
    private final int memory;
    private final DeviceLimits device = new DeviceLimits();
    private final ProcessPusher pusher;
    private long now = 1_000_000;

    /** What a call for pages takes. */
    long callNanos = 1_000;

    /** Pages from here on are not mapped any more. */
    long mappedTo = Long.MAX_VALUE;

    /** Whether it is told which pages are out; else all seem to be. */
    boolean showsPages = true;

    /** The server of the swap device, if there is one: pages that it was told of, in this order. */
    @Nullable
    List<Long> server;

    boolean ended;
    long majors;
    long minors;
    long largestCall;
    long mostOnTheWay;
    long touchedTimes;
    long evictedUnused;

    ScriptedKernel(long pages, int memory, PushSettings settings) {
        this.pages = pages;
        this.memory = memory;
        pusher = new ProcessPusher(this, device, settings, nanos -> touchedTimes++);
    }

    ProcessPusher pusher() {
        return pusher;
    }

    PushFigures figures() {
        return pusher.figures();
    }

    long get(PushFigure figure) {
        return pusher.figures().get(figure);
    }

    long now() {
        return now;
    }

    /** The process works for a while. */
    void work(long nanos) {
        now += nanos;
    }

    /** The process touches a page. */
    void touch(long page) {
        if (resident.contains(page)) {
            return;
        }
        pusher.fault(page, now);
        Long arrival = arrives.remove(page);
        if (arrival == null) {
            // Pushes are made while the process waits.
            push();
            now += READ_NANOS;
            majors++;
            device.waited(READ_NANOS);
            pusher.major(page);
        } else {
            order.remove(page);
            now = Math.max(now, arrival) + MINOR_NANOS;
            minors++;
        }
        resident.add(page);
        admit(page);
        push();
    }

    /** The pusher makes its calls. */
    void push() {
        while (pusher.push(now, () -> now) > 0) {
            mostOnTheWay = Math.max(
                    mostOnTheWay,
                    arrives.values().stream().filter(at -> at > now).count());
        }
    }

    private void admit(long page) {
        order.addLast(page);
        while (order.size() > memory) {
            long out = order.removeFirst();
            if (!resident.remove(out)) {
                arrives.remove(out);
                evictedUnused++;
            }
        }
    }

    /** Brings a page into memory, as if the process had it there from the beginning. */
    void makeResident(long page) {
        resident.add(page);
    }

    /** The process executes another program: nothing is in memory, and nothing that was pushed is its own any more. */
    void exec() {
        resident.clear();
        arrives.clear();
        order.clear();
        pusher.exec();
    }

    @Override
    public int swapped(long first, long stride, int count, long[] swapped) {
        int found = 0;
        for (int i = 0; i < count; i++) {
            long page = first + i * stride;
            boolean out = page >= 0 && page < pages && !resident.contains(page);
            if (out || !showsPages) {
                swapped[found++] = page;
            }
        }
        return found;
    }

    @Override
    public boolean tells() {
        return server != null;
    }

    @Override
    public void tell(long[] pages, int count) {
        for (int i = 0; i < count; i++) {
            Objects.requireNonNull(server).add(pages[i]);
        }
    }

    @Override
    public int willNeed(long[] asked, int count) {
        now += callNanos;
        largestCall = Math.max(largestCall, count);
        if (ended) {
            return GONE;
        }
        for (int i = 0; i < count; i++) {
            if (asked[i] >= mappedTo || asked[i] < 0 || asked[i] >= pages) {
                return i == 0 ? REFUSED : i;
            }
            if (!resident.contains(asked[i]) && arrives.putIfAbsent(asked[i], now + READ_NANOS) == null) {
                admit(asked[i]);
            }
        }
        return count;
    }
}
