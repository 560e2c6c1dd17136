package io.leapnbd.prefetch;

import static org.assertj.core.api.Assertions.assertThat;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import java.util.Queue;
import java.util.SplittableRandom;
import java.util.concurrent.Callable;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.atomic.AtomicLongArray;
import org.junit.jupiter.api.Test;

/**
 * Several threads fetch, read, write and resize over few pages and fewer slots. Every page says which page and version it
 * is, at its start and end; no read may see less than the version that had been acknowledged when it started.
 */
class PageCacheStressTest {

    private static final int THREADS = 4;
    private static final int STEPS = 200_000;
    private static final int PAGES = 24;
    private static final int SLOTS = 10;
    private static final int WORDS = PageCache.PAGE_SIZE / Long.BYTES;

    /** The donor's memory: the version of each page that was written last. */
    private final AtomicLongArray donor = new AtomicLongArray(PAGES);

    private final AtomicLongArray acknowledged = new AtomicLongArray(PAGES);
    private final Queue<Fetch> handedOver = new ConcurrentLinkedQueue<>();
    private final AtomicInteger waiting = new AtomicInteger();
    private final AtomicLong checked = new AtomicLong();

    /** A fetch that has read this version from the donor, or has not yet (-1). */
    private record Fetch(int page, int slot, long version) {}

    private static final class Write {
        final int page;
        long version = -1;

        Write(int page) {
            this.page = page;
        }
    }

    @Test
    void noReadIsStaleTornOrForeignWhateverOtherThreadsDo() throws Exception {
        try (Arena memory = Arena.ofShared();
                ExecutorService threads = Executors.newFixedThreadPool(THREADS)) {
            PageCache cache = new PageCache(memory.allocate((long) SLOTS * PageCache.PAGE_SIZE));
            List<Future<?>> loops = new ArrayList<>();
            for (int i = 0; i < THREADS; i++) {
                loops.add(threads.submit(new Loop(cache, i)));
            }
            for (Future<?> loop : loops) {
                loop.get(120, TimeUnit.SECONDS);
            }
            Loop last = new Loop(cache, THREADS);
            for (Fetch fetch = handedOver.poll(); fetch != null; fetch = handedOver.poll()) {
                last.finish(fetch);
            }

            CacheFigures figures = cache.figures();
            assertThat(waiting).as("reads that were never told").hasValue(0);
            assertThat(figures.hits() + figures.inFlightHits()).isEqualTo(checked.get());
            assertThat(figures.hits()).as("the test exercises hits").isGreaterThan(1000);
            assertThat(figures.inFlightHits()).as("the test exercises waiting").isGreaterThan(100);
            assertThat(figures.invalidated()).as("the test exercises writes").isGreaterThan(1000);
            cache.resize(0);
            assertThat(cache.figures().slotsInUse()).as("slots that were lost").isZero();
        }
    }

    private final class Loop implements Callable<Void> {
        private final PageCache cache;
        private final SplittableRandom random;
        private final Deque<Fetch> fetches = new ArrayDeque<>();
        private final Deque<Write> writes = new ArrayDeque<>();

        Loop(PageCache cache, int seed) {
            this.cache = cache;
            random = new SplittableRandom(seed);
        }

        @Override
        public Void call() {
            for (int step = 0; step < STEPS; step++) {
                int page = random.nextInt(PAGES);
                switch (random.nextInt(16)) {
                    case 0, 1, 2, 3, 4 -> claim(page);
                    case 5, 6, 7, 8 -> finishOne();
                    case 9, 10 -> write(page);
                    case 11 -> {
                        if (random.nextInt(100) == 0) {
                            cache.resize(SLOTS - random.nextInt(3));
                        }
                    }
                    default -> demand(page);
                }
            }
            while (!fetches.isEmpty()) {
                finish(fetches.removeFirst());
            }
            while (!writes.isEmpty()) {
                advance(writes.getFirst());
            }
            return null;
        }

        private void claim(int page) {
            int slot = cache.claim(page * 40L);
            if (slot >= 0) {
                fetches.addLast(new Fetch(page, slot, random.nextBoolean() ? donor.get(page) : -1));
            }
        }

        private void finishOne() {
            Fetch fetch = random.nextBoolean() ? handedOver.poll() : fetches.pollFirst();
            if (fetch == null) {
                return;
            }
            if (random.nextInt(8) == 0) {
                handedOver.add(fetch);
            } else {
                finish(fetch);
            }
        }

        void finish(Fetch fetch) {
            if (random.nextInt(32) == 0) {
                cache.abort(fetch.slot);
                return;
            }
            long version = fetch.version >= 0 ? fetch.version : donor.get(fetch.page);
            MemorySegment bytes = bytes(fetch.slot);
            for (int word = 0; word < WORDS; word += WORDS / 16) {
                bytes.setAtIndex(ValueLayout.JAVA_LONG, word, version * PAGES + fetch.page);
            }
            cache.publish(fetch.slot, version);
        }

        private void write(int page) {
            if (writes.isEmpty() || (writes.size() < 2 && random.nextBoolean())) {
                cache.beginWrite(page * 40L, 1);
                writes.addLast(new Write(page));
            } else {
                advance(writes.getFirst());
            }
        }

        /** Takes a write a step on: to the donor, then to its acknowledgement. */
        private void advance(Write write) {
            if (write.version < 0) {
                write.version = donor.incrementAndGet(write.page);
            } else {
                cache.endWrite(write.page * 40L, 1);
                acknowledged.accumulateAndGet(write.page, write.version, Math::max);
                writes.remove(write);
            }
        }

        private void demand(int page) {
            Demand demand = new Demand(page, acknowledged.get(page));
            int found = cache.lookup(page * 40L);
            if (found >= 0) {
                demand.read(found);
            } else if (PageCache.isInFlight(found)) {
                waiting.incrementAndGet();
                if (!cache.await(PageCache.inFlightSlot(found), page * 40L, demand)) {
                    waiting.decrementAndGet();
                }
            }
        }

        private MemorySegment bytes(int slot) {
            return cache.arena().asSlice(cache.offset(slot), PageCache.PAGE_SIZE);
        }

        private final class Demand extends Waiter {
            private final int wanted;
            private final long atLeast;

            Demand(int wanted, long atLeast) {
                this.wanted = wanted;
                this.atLeast = atLeast;
            }

            void read(int slot) {
                checked.incrementAndGet();
                MemorySegment bytes = bytes(slot);
                long content = bytes.getAtIndex(ValueLayout.JAVA_LONG, 0);
                for (int word = 0; word < WORDS; word += WORDS / 16) {
                    if (bytes.getAtIndex(ValueLayout.JAVA_LONG, word) != content) {
                        throw new AssertionError("torn");
                    }
                }
                if (content % PAGES != wanted) {
                    throw new AssertionError("page " + content % PAGES + " for page " + wanted);
                }
                if (content / PAGES < atLeast) {
                    throw new AssertionError("version " + content / PAGES + ", acknowledged was " + atLeast);
                }
                if (atLeast % 8 == 0) {
                    cache.release(slot);
                } else {
                    cache.consume(slot);
                }
            }

            @Override
            protected void fetchEnded(int slot) {
                waiting.decrementAndGet();
                if (slot >= 0) {
                    read(slot);
                }
            }
        }
    }
}
