package io.leapnbd.donor.store;

import static io.leapnbd.donor.Pages.PAGE;
import static org.assertj.core.api.Assertions.assertThat;

import io.leapnbd.donor.Pages;
import io.leapnbd.donor.protocol.Status;
import io.leapnbd.donor.protocol.Version;
import io.netty.buffer.ByteBuf;
import java.io.IOException;
import java.util.SplittableRandom;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.atomic.AtomicLongArray;
import org.junit.jupiter.api.Test;

class SlabConcurrencyTest {

    private static final long RUN_NANOS = TimeUnit.MILLISECONDS.toNanos(1500);
    private static final int PAGES = 8;

    private final ConcurrentLinkedQueue<Throwable> failures = new ConcurrentLinkedQueue<>();

    /**
     * Every word of a page says which version it is. Writers and trimmers go over a few pages with versions from one counter;
     * readers check that a page is of one version, and at least of the last that was acknowledged before the read began.
     */
    @Test
    void aPageIsAlwaysOneVersionAndNeverOlderThanAnAcknowledgedOne() throws Exception {
        try (SlabStore store = SlabStore.open(Settings.slabs(1))) {
            Lent slab = Lent.grant(store, "a", 1, 0);
            AtomicLong versions = new AtomicLong();
            // By page, the highest version that was acknowledged; trims count as written zeros, so they are left out.
            AtomicLongArray acknowledged = new AtomicLongArray(PAGES);
            long end = System.nanoTime() + RUN_NANOS;
            AtomicLong checked = new AtomicLong();
            Thread[] threads = new Thread[6];
            for (int i = 0; i < threads.length; i++) {
                SplittableRandom random = new SplittableRandom(i);
                boolean writer = i < 2;
                threads[i] = start(() -> {
                    ByteBuf buf = Pages.untracked(PAGES * PAGE);
                    long address = buf.memoryAddress();
                    assertThat(address).isNotZero();
                    while (System.nanoTime() - end < 0 && failures.isEmpty()) {
                        int first = random.nextInt(PAGES);
                        int count = 1 + random.nextInt(PAGES - first);
                        if (writer) {
                            long version = versions.incrementAndGet();
                            fill(buf, count * PAGE, version);
                            assertThat(store.write(
                                            slab.claim(), slab.handle(), first * PAGE, count * PAGE, version, buf, 0))
                                    .isEqualTo(Status.OK);
                            for (int page = first; page < first + count; page++) {
                                acknowledged.accumulateAndGet(page, version, Math::max);
                            }
                        } else {
                            long[] least = new long[count];
                            for (int page = 0; page < count; page++) {
                                least[page] = acknowledged.get(first + page);
                            }
                            assertThat(store.read(slab.claim(), slab.handle(), first * PAGE, count * PAGE, buf, 0))
                                    .isEqualTo(Status.OK);
                            for (int page = 0; page < count; page++) {
                                check(buf, page * PAGE, least[page]);
                            }
                            checked.addAndGet(count);
                        }
                    }
                    buf.release();
                });
            }
            join(threads);
            assertThat(checked.get()).isGreaterThan(100);
        }
    }

    /** Writers are late on purpose: of two writes to a page the higher version must win, whoever comes first. */
    @Test
    void theHighestVersionWinsWhateverTheOrder() throws Exception {
        try (SlabStore store = SlabStore.open(Settings.slabs(1))) {
            Lent slab = Lent.grant(store, "a", 1, 0);
            AtomicLong highest = new AtomicLong();
            Thread[] threads = new Thread[4];
            for (int i = 0; i < threads.length; i++) {
                SplittableRandom random = new SplittableRandom(i);
                threads[i] = start(() -> {
                    ByteBuf buf = Pages.untracked(PAGE);
                    for (int n = 0; n < 20_000; n++) {
                        long version = 1L + random.nextInt(1 << 30);
                        fill(buf, PAGE, version);
                        store.write(slab.claim(), slab.handle(), 0, PAGE, version, buf, 0);
                        highest.accumulateAndGet(version, Math::max);
                    }
                    buf.release();
                });
            }
            join(threads);
            ByteBuf buf = Pages.untracked(PAGE);
            store.read(slab.claim(), slab.handle(), 0, PAGE, buf, 0);
            check(buf, 0, highest.get());
            assertThat(buf.getLong(0)).isEqualTo(highest.get());
            buf.release();
            assertThat(store.statistics().stalePages()).isPositive();
        }
    }

    /** Partial writes and trims must not let a reader see the bytes that were there before the page was blank. */
    @Test
    void aTrimmedPageNeverShowsWhatItHeld() throws Exception {
        try (SlabStore store = SlabStore.open(Settings.slabs(1))) {
            Lent slab = Lent.grant(store, "a", 1, 0);
            AtomicBoolean stop = new AtomicBoolean();
            Thread reader = start(() -> {
                ByteBuf buf = Pages.untracked(PAGE);
                while (!stop.get()) {
                    store.read(slab.claim(), slab.handle(), 0, PAGE, buf, 0);
                    byte first = buf.getByte(0);
                    byte last = buf.getByte(PAGE - 1);
                    // Full of ones, blank, or a two in the first half with nothing behind it.
                    if (last != first && !(first == 2 && last == 0)) {
                        throw new AssertionError("a page with " + first + " and " + last);
                    }
                }
                buf.release();
            });
            ByteBuf ones = Pages.untracked(PAGE);
            ByteBuf twos = Pages.untracked(PAGE);
            for (int i = 0; i < PAGE; i++) {
                ones.setByte(i, 1);
                twos.setByte(i, 2);
            }
            for (long n = 1; n < 60_000 && failures.isEmpty(); n += 4) {
                store.write(slab.claim(), slab.handle(), 0, PAGE, slab.version(n), ones, 0);
                slab.trim(0, PAGE, n + 1);
                store.write(slab.claim(), slab.handle(), 0, PAGE / 2, slab.version(n + 2), twos, 0);
                slab.trim(0, PAGE, n + 3);
            }
            stop.set(true);
            join(reader);
            ones.release();
            twos.release();
        }
    }

    /** One thread lends, writes and hands back; others keep using handles that are gone. They never see foreign bytes. */
    @Test
    void aSlabThatIsHandedBackWhileItIsReadShowsNothingOfItsNextOwner() throws Exception {
        try (SlabStore store = SlabStore.open(Settings.slabs(2))) {
            Claim mine = Lent.claim(store, "a", 1);
            Claim theirs = Lent.claim(store, "b", 1);
            AtomicLong current = new AtomicLong();
            AtomicBoolean stop = new AtomicBoolean();
            Thread[] readers = new Thread[3];
            for (int i = 0; i < readers.length; i++) {
                boolean writes = i == 0;
                readers[i] = start(() -> {
                    ByteBuf buf = Pages.untracked(PAGE);
                    while (!stop.get()) {
                        int handle = (int) current.get();
                        buf.setLong(0, 0);
                        byte status = writes
                                ? store.trim(mine, handle, PAGE, PAGE, 1)
                                : store.read(mine, handle, 0, PAGE, buf, 0);
                        if (status == Status.OK) {
                            long seen = buf.getLong(0);
                            if (seen != 0 && seen != 0x1111111111111111L) {
                                throw new AssertionError("foreign bytes " + Long.toHexString(seen));
                            }
                        } else if (status != Status.NOT_OWNER) {
                            throw new AssertionError(Status.name(status));
                        }
                    }
                    buf.release();
                });
            }
            ByteBuf ones = Pages.untracked(PAGE);
            ByteBuf twos = Pages.untracked(PAGE);
            for (int i = 0; i < PAGE; i++) {
                ones.setByte(i, 0x11);
                twos.setByte(i, 0x22);
            }
            ByteBuf blank = Pages.rubbish(PAGE);
            for (int round = 0; round < 5_000 && failures.isEmpty(); round++) {
                Granted granted = store.grant(mine, 0, Version.ofGrant(1, 0));
                if (granted.status() == Status.NO_SPACE) {
                    // Both slots are still being left by a reader.
                    continue;
                }
                current.set(granted.handle());
                store.write(mine, granted.handle(), 0, PAGE, 1, ones, 0);
                store.free(mine, granted.handle(), Version.ofGrant(1, 0));
                Granted other = store.grant(theirs, 0, Version.ofGrant(1, 0));
                if (other.status() == Status.OK) {
                    store.read(theirs, other.handle(), 0, PAGE, blank, 0);
                    assertThat(blank.getLong(0)).isZero();
                    store.write(theirs, other.handle(), 0, PAGE, 1, twos, 0);
                    store.free(theirs, other.handle(), Version.ofGrant(1, 0));
                }
            }
            stop.set(true);
            join(readers);
            ones.release();
            twos.release();
            blank.release();
            assertThat(store.freeSlabs()).isEqualTo(2);
        }
    }

    /** Nobody inside: closing while requests are under way waits for them instead of pulling memory away. */
    @Test
    void closingWaitsForRequestsUnderWay() throws Exception {
        for (int round = 0; round < 10; round++) {
            SlabStore store = SlabStore.open(Settings.slabs(1));
            Lent slab = Lent.grant(store, "a", 1, 0);
            AtomicLong reads = new AtomicLong();
            Thread reader = start(() -> {
                ByteBuf buf = Pages.untracked(1 << 20);
                while (store.read(slab.claim(), slab.handle(), 0, 1 << 20, buf, 0) == Status.OK) {
                    reads.incrementAndGet();
                }
                buf.release();
            });
            while (reads.get() == 0) {
                Thread.onSpinWait();
            }
            store.close();
            join(reader);
        }
    }

    private Thread start(ThrowingRunnable body) {
        return Thread.ofPlatform().start(() -> {
            try {
                body.run();
            } catch (Throwable e) {
                failures.add(e);
            }
        });
    }

    private void join(Thread... threads) throws InterruptedException {
        for (Thread thread : threads) {
            thread.join();
        }
        assertThat(failures).isEmpty();
    }

    private static void fill(ByteBuf buf, int length, long version) {
        for (int at = 0; at < length; at += Long.BYTES) {
            buf.setLong(at, version);
        }
    }

    private static void check(ByteBuf buf, int from, long least) {
        long version = buf.getLong(from);
        if (version < least) {
            throw new AssertionError("version " + version + " after " + least + " was acknowledged");
        }
        for (int at = from; at < from + PAGE; at += Long.BYTES) {
            if (buf.getLong(at) != version) {
                throw new AssertionError("torn: " + version + " and " + buf.getLong(at) + " at " + (at - from));
            }
        }
    }

    @FunctionalInterface
    private interface ThrowingRunnable {
        void run() throws IOException;
    }
}
