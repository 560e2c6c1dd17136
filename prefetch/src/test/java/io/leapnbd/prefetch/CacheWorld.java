package io.leapnbd.prefetch;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * A small device around a cache, in one thread, in which everything that takes time is a step of its own: a fetch is
 * claimed, reads the donor, and comes back; a write begins, reaches the donor, and is acknowledged; a read pins a page and
 * leaves it. Steps of different requests come in any order. Every read is checked against the versions that it may return.
 *
 * <p>Each step is made from one random int, and means something in every state, so that any subsequence of a run is a run.
 */
final class CacheWorld implements AutoCloseable {

    private static final int PAGES = 12;
    private static final int SLOTS = 5;

    /** Pages far enough apart that a write to one does not keep another out; two are neighbours. */
    private static long number(int page) {
        return page == 1 ? 1 : page * 1000L;
    }

    private final Arena memory = Arena.ofConfined();
    private final PageCache cache = new PageCache(memory.allocate((long) SLOTS * PageCache.PAGE_SIZE));

    private final List<List<Version>> history = new ArrayList<>();
    private final List<Fetch> fetches = new ArrayList<>();
    private final List<Write> writes = new ArrayList<>();
    private final List<Reader> readers = new ArrayList<>();
    private final Set<Demand> waiting = new HashSet<>();
    private int clock;
    private int hits;
    private int overtaken;

    CacheWorld() {
        for (int page = 0; page < PAGES; page++) {
            List<Version> versions = new ArrayList<>();
            Version first = new Version(0);
            first.acknowledged = 0;
            versions.add(first);
            history.add(versions);
        }
    }

    int hits() {
        return hits;
    }

    int overtaken() {
        return overtaken;
    }

    /** Makes one step; throws an AssertionError when the cache does wrong. */
    void step(int random) {
        clock++;
        int page = Math.floorMod(random >>> 5, PAGES);
        int which = random >>> 9;
        switch (random & 31) {
            case 0, 1, 2, 3, 4 -> claim(page);
            case 5, 6, 7 -> pick(fetches, which, Fetch::readDonor);
            case 8, 9, 10 -> finish(which, true);
            case 11 -> finish(which, false);
            case 12, 13 -> beginWrite(page, 1 + (which & 1));
            case 14, 15 -> pick(writes, which, this::applyWrite);
            case 16, 17, 18 -> endWrite(which);
            case 19, 20, 21, 22, 23, 24, 25 -> demand(page);
            case 26, 27, 28 -> leave(which, true);
            case 29 -> leave(which, false);
            case 30 -> cache.resize(Math.floorMod(which, SLOTS + 1));
            default -> cache.eagerEviction((which & 3) != 0);
        }
        check(waiting.isEmpty() || !fetches.isEmpty(), "a demand waits, and no fetch is out");
    }

    /** Ends all that is in flight, and looks whether every slot has come back. */
    void settle() {
        while (!fetches.isEmpty()) {
            finish(0, true);
        }
        while (!writes.isEmpty()) {
            endWrite(0);
        }
        while (!readers.isEmpty()) {
            leave(0, true);
        }
        check(waiting.isEmpty(), "a demand was never told");
        cache.resize(0);
        check(cache.figures().slotsInUse() == 0, "a slot was lost");
        cache.resize(SLOTS);
        for (int page = 0; page < SLOTS; page++) {
            check(cache.claim(number(page)) >= 0, "a page or slot is out for ever");
        }
    }

    private void claim(int page) {
        int slot = cache.claim(number(page));
        boolean beingWritten = writes.stream().anyMatch(write -> write.covers(page));
        boolean inFlight = fetches.stream().anyMatch(fetch -> fetch.page == page && !fetch.overtaken);
        if (beingWritten) {
            check(slot == PageCache.BEING_WRITTEN, "claimed under a write: " + slot);
        } else if (inFlight) {
            check(slot == PageCache.IN_FLIGHT || nearAWrite(page, slot), "claimed twice: " + slot);
        }
        if (slot >= 0) {
            check(fetches.stream().noneMatch(fetch -> fetch.slot == slot), "a slot in flight was handed out");
            check(readers.stream().noneMatch(reader -> reader.slot == slot), "a slot was handed out under a reader");
            fetches.add(new Fetch(page, slot));
        }
    }

    private boolean nearAWrite(int page, int slot) {
        return page <= 1 && slot == PageCache.BEING_WRITTEN;
    }

    private void finish(int which, boolean success) {
        pick(fetches, which, fetch -> {
            fetches.remove(fetch);
            if (success) {
                if (fetch.version == null) {
                    fetch.readDonor();
                }
                check(cache.publish(fetch.slot, clock) != fetch.overtaken, "publish told the wrong thing");
            } else {
                cache.abort(fetch.slot);
            }
        });
    }

    private void beginWrite(int page, int count) {
        int last = page == 0 ? count - 1 : page;
        Write write = new Write(page, last, new Version(clock));
        for (Fetch fetch : fetches) {
            if (write.covers(fetch.page) && !fetch.overtaken) {
                fetch.overtaken = true;
                overtaken++;
            }
        }
        cache.beginWrite(number(page), last - page + 1);
        writes.add(write);
    }

    private void applyWrite(Write write) {
        if (!write.applied) {
            write.applied = true;
            for (int page = write.first; page <= write.last; page++) {
                history.get(page).add(write.version);
            }
        }
    }

    private void endWrite(int which) {
        pick(writes, which, write -> {
            // Not applied yet: it fails, and will never be.
            cache.endWrite(number(write.first), write.last - write.first + 1);
            writes.remove(write);
            if (write.applied) {
                write.version.acknowledged = clock;
            }
        });
    }

    private void demand(int page) {
        Demand demand = new Demand(page, clock);
        int found = cache.lookup(number(page));
        if (found >= 0) {
            demand.read(found);
        } else if (PageCache.isInFlight(found)) {
            check(fetches.stream().anyMatch(fetch -> fetch.page == page && !fetch.overtaken), "nothing is in flight");
            check(cache.await(PageCache.inFlightSlot(found), number(page), demand), "nothing to wait for");
            waiting.add(demand);
        }
    }

    private void leave(int which, boolean consume) {
        pick(readers, which, reader -> {
            reader.checkUnchanged();
            readers.remove(reader);
            if (consume) {
                cache.consume(reader.slot);
            } else {
                cache.release(reader.slot);
            }
        });
    }

    private MemorySegment bytes(int slot) {
        return cache.arena().asSlice(cache.offset(slot), PageCache.PAGE_SIZE);
    }

    private static <T> void pick(List<T> from, int which, Consumer<T> action) {
        if (!from.isEmpty()) {
            action.accept(from.get(Math.floorMod(which, from.size())));
        }
    }

    private static void check(boolean right, String wrong) {
        if (!right) {
            throw new AssertionError(wrong);
        }
    }

    @Override
    public void close() {
        memory.close();
    }

    /** One version of a page, known by when its write began. */
    private static final class Version {
        final int number;
        int acknowledged = Integer.MAX_VALUE;

        Version(int number) {
            this.number = number;
        }
    }

    private static final class Write {
        final int first;
        final int last;
        final Version version;
        boolean applied;

        Write(int first, int last, Version version) {
            this.first = first;
            this.last = last;
            this.version = version;
        }

        boolean covers(int page) {
            return page >= first && page <= last;
        }
    }

    private final class Fetch {
        final int page;
        final int slot;
        boolean overtaken;

        @Nullable
        Version version;

        Fetch(int page, int slot) {
            this.page = page;
            this.slot = slot;
        }

        void readDonor() {
            version = history.get(page).getLast();
            bytes(slot).set(ValueLayout.JAVA_INT, 0, page);
            bytes(slot).set(ValueLayout.JAVA_INT, 4, version.number);
        }
    }

    /** A read that has its page pinned. */
    private final class Reader {
        final int slot;
        final long content;

        Reader(int slot) {
            this.slot = slot;
            content = bytes(slot).get(ValueLayout.JAVA_LONG, 0);
        }

        void checkUnchanged() {
            check(bytes(slot).get(ValueLayout.JAVA_LONG, 0) == content, "bytes changed under a reader");
        }
    }

    private final class Demand extends Waiter {
        final int wanted;
        final int started;

        Demand(int wanted, int started) {
            this.wanted = wanted;
            this.started = started;
        }

        void read(int slot) {
            hits++;
            readers.add(new Reader(slot));
            int foundPage = bytes(slot).get(ValueLayout.JAVA_INT, 0);
            int foundVersion = bytes(slot).get(ValueLayout.JAVA_INT, 4);
            check(foundPage == wanted, "page " + foundPage + " for page " + wanted);
            for (Version version : history.get(wanted).reversed()) {
                if (version.number == foundVersion) {
                    return;
                }
                check(version.acknowledged >= started, "a version that was acknowledged before the read is missing");
            }
            throw new AssertionError("a version that never was");
        }

        @Override
        protected void fetchEnded(int slot) {
            check(waiting.remove(this), "told twice");
            if (slot >= 0) {
                read(slot);
            }
        }
    }
}
