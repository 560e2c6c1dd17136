package io.leapnbd.bypass;

import static org.assertj.core.api.Assertions.assertThat;

import io.leapnbd.bypass.cipher.CipherKind;
import io.leapnbd.bypass.map.Placement;
import io.leapnbd.nbd.spi.NbdError;
import io.leapnbd.prefetch.PrefetchPolicy;
import io.netty.channel.EventLoopGroup;
import io.netty.channel.MultiThreadIoEventLoopGroup;
import io.netty.channel.epoll.EpollIoHandler;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicIntegerArray;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/**
 * Random operations on two loops over two donors that restart, as one loop sees before the other, take slabs back, answer late,
 * do things twice, and do what they did not answer. An oracle knows what was acknowledged: no read returns anything older, and none
 * fails unless a donor has lost the page since it was written, or has not answered (A2, A10, A11, A12).
 */
class ScriptedDonorsTest {

    private static final int PAGE = 4096;
    private static final int SECTORS = 8;
    private static final int SECTOR = PAGE / SECTORS;
    private static final int SLAB_SHIFT = 16;
    private static final int SLABS = 4;
    private static final int PAGES = SLABS << (SLAB_SHIFT - 12);
    private static final int OPERATIONS = 12_000;
    private static final int AT_ONCE = 16;

    private final long seed = new Random().nextLong();
    private final Random random = new Random(seed);
    private final EventLoopGroup group = new MultiThreadIoEventLoopGroup(2, EpollIoHandler.newFactory());
    private final AtomicIntegerArray losses = new AtomicIntegerArray(SLABS);
    private final Page[] pages = new Page[PAGES];
    private final ArrayDeque<Running> running = new ArrayDeque<>();
    private final DeviceDriver[] drivers = new DeviceDriver[2];
    private long stamp;
    private @Nullable ScriptedStore stopped;
    private int errors;

    @SuppressWarnings("NullAway.Init") // Opened by each test.
    private ScriptedDevice device;

    /** What a page may be. */
    private static final class Page {

        private final int number;

        /** In the order in which they were issued; the first was acknowledged. */
        private List<long[]> possible = new ArrayList<>(List.of(new long[SECTORS]));

        /** Losses of its slab when the change that was acknowledged last began. */
        private int lossesThen;

        private boolean busy;

        Page(int number) {
            this.number = number;
        }
    }

    /** An operation under way. */
    private record Running(Page page, CompletableFuture<Integer> done, Runnable check) {}

    @AfterEach
    void stop() throws IOException {
        group.shutdownGracefully(0, 1, TimeUnit.SECONDS).syncUninterruptibly();
        device.close();
    }

    @ParameterizedTest
    @CsvSource({"NONE, NONE", "NEXT_N, NONE", "NEXT_N, AES_256_GCM"})
    void noReadIsOlderThanWhatWasAcknowledgedAndNoneFailsWithoutALoss(PrefetchPolicy policy, CipherKind cipher)
            throws IOException {
        device = new ScriptedDevice(
                SLABS, SLAB_SHIFT, 2, 1, TimeUnit.SECONDS.toNanos(40), policy, random, losses::incrementAndGet, cipher);
        Arrays.setAll(pages, Page::new);
        for (int i = 0; i < 2; i++) {
            drivers[i] = new DeviceDriver(device, group.next());
        }
        device.stores.forEach(store -> store.slowOneIn = 4);
        for (int i = 0; i < OPERATIONS; i++) {
            disturb(i);
            while (running.size() >= AT_ONCE) {
                settle();
            }
            begin();
        }
        while (!running.isEmpty()) {
            settle();
        }
        assertThat(device.map.pagesLost()).as("losses that the test made").isPositive();
        // Most operations succeed: the test is about what they return.
        assertThat(errors).as("seed " + seed).isLessThan(OPERATIONS / 2);
    }

    /**
     * Three donors, two copies: one donor after the other restarts, takes slabs back or stops. As long as a copy lives, nothing fails and nothing
     * is old.
     */
    @ParameterizedTest
    @CsvSource({"NONE, NONE", "NEXT_N, NONE", "NEXT_N, AES_256_GCM"})
    void withTwoCopiesNothingIsLostAndNothingFailsWhenOneDonorAtATimeGoes(PrefetchPolicy policy, CipherKind cipher)
            throws IOException {
        device = new ScriptedDevice(
                SLABS, SLAB_SHIFT, 3, 2, TimeUnit.SECONDS.toNanos(24), policy, random, losses::incrementAndGet, cipher);
        Arrays.setAll(pages, Page::new);
        for (int i = 0; i < 2; i++) {
            drivers[i] = new DeviceDriver(device, group.next());
        }
        device.stores.forEach(store -> store.slowOneIn = 4);
        int disturbed = 0;
        for (int i = 0; i < OPERATIONS / 2; i++) {
            if (i % 200 == 199 && (stopped != null || allHaveTwoCopies())) {
                disturbOne();
                disturbed++;
            }
            while (running.size() >= AT_ONCE) {
                settle();
            }
            begin();
        }
        while (!running.isEmpty()) {
            settle();
        }
        assertThat(disturbed).as("times that a donor was disturbed").isGreaterThan(5);
        assertThat(device.hedges().won())
                .as("reads that a second donor answered first")
                .isPositive();
        assertThat(losses.get(0) + losses.get(1) + losses.get(2) + losses.get(3))
                .as("copies that went")
                .isPositive();
        assertThat(device.map.pagesLost()).isZero();
        assertThat(errors).as("seed " + seed).isZero();
        if (stopped != null) {
            disturbOne();
        }
        writeToEachSlab();
        // What was left out was given back, and what was filled is there.
        Awaiting.that("all have two copies, and no donor holds more", () -> allHaveTwoCopies() && noneHoldsMore());
    }

    /** One of two donors changes bytes, on their way and where they lie: no read returns any of these, and nothing fails. */
    @ParameterizedTest
    @CsvSource({"NONE, NONE", "NEXT_N, NONE", "NEXT_N, AES_256_GCM"})
    void withTwoCopiesNothingIsWrongAndNothingFailsWhenADonorChangesBytes(PrefetchPolicy policy, CipherKind cipher)
            throws IOException {
        device = new ScriptedDevice(
                SLABS, SLAB_SHIFT, 2, 2, TimeUnit.SECONDS.toNanos(40), policy, random, losses::incrementAndGet, cipher);
        Arrays.setAll(pages, Page::new);
        for (int i = 0; i < 2; i++) {
            drivers[i] = new DeviceDriver(device, group.next());
        }
        ScriptedStore bad = device.stores.get(1);
        bad.flipsOneIn = 5;
        bad.rotsOneIn = 20;
        for (int i = 0; i < OPERATIONS / 2; i++) {
            while (running.size() >= AT_ONCE) {
                settle();
            }
            begin();
        }
        while (!running.isEmpty()) {
            settle();
        }
        assertThat(errors).as("seed " + seed).isZero();
        // All pages are of one group, so that a write was near nearly every read. Now there is none.
        Awaiting.that("a copy was found that is bad, and was written anew", () -> {
            for (Page page : pages) {
                read(page, () -> drivers[0].startRead((long) page.number * PAGE, PAGE));
                settle();
            }
            return device.figures.unfit(1) > 0 && device.figures.mended(1) > 0;
        });
        assertThat(errors).as("seed " + seed).isZero();
        assertThat(device.figures.unfit(0)).isZero();
    }

    /** Of a copy that a donor took back nobody knows before it is used; a write uses all. */
    private void writeToEachSlab() {
        for (int slab = 0; slab < SLABS; slab++) {
            Page page = pages[slab * (PAGES / SLABS)];
            long[] value = new long[SECTORS];
            Arrays.fill(value, ++stamp);
            change(
                    page,
                    () -> drivers[0].startWrite((long) page.number * PAGE, bytes(value, 0, SECTORS)),
                    value,
                    0,
                    SECTORS);
        }
        while (!running.isEmpty()) {
            settle();
        }
        assertThat(errors).as("seed " + seed).isZero();
    }

    private boolean allHaveTwoCopies() {
        for (int slab = 0; slab < SLABS; slab++) {
            Placement placement = device.map.placement(slab);
            if (placement != null && (placement.live() < 2 || !placement.told())) {
                return false;
            }
        }
        return true;
    }

    private boolean noneHoldsMore() {
        for (int donor = 0; donor < device.stores.size(); donor++) {
            int held = 0;
            for (int slab = 0; slab < SLABS; slab++) {
                Placement placement = device.map.placement(slab);
                held += placement != null && placement.isAt(donor) ? 1 : 0;
            }
            if (held != device.stores.get(donor).held()) {
                return false;
            }
        }
        return true;
    }

    private void disturbOne() {
        ScriptedStore held = stopped;
        if (held != null) {
            stopped = null;
            held.holdsEverything = false;
            for (ScriptedStore.Link link : device.links) {
                link.loop.execute(link::letGo);
            }
            return;
        }
        ScriptedStore store = device.stores.get(random.nextInt(3));
        switch (random.nextInt(3)) {
            case 0 -> store.restart();
            case 1 -> store.takeBackAny();
            default -> {
                store.holdsEverything = true;
                stopped = store;
            }
        }
    }

    private void disturb(int operation) {
        ScriptedStore store = device.stores.get(random.nextInt(2));
        if (operation % 400 == 399) {
            store.restart();
        } else if (operation % 150 == 149) {
            store.takeBackAny();
        } else if (operation % 1000 == 500) {
            store.lateOneIn = 40;
        } else if (operation % 1000 == 600) {
            device.stores.forEach(one -> one.lateOneIn = 0);
        }
    }

    private void begin() {
        Page page = pages[random.nextInt(PAGES)];
        while (page.busy) {
            page = pages[random.nextInt(PAGES)];
        }
        page.busy = true;
        DeviceDriver driver = drivers[random.nextInt(2)];
        long offset = (long) page.number * PAGE;
        switch (random.nextInt(10)) {
            case 0, 1, 2 -> {
                long[] value = new long[SECTORS];
                Arrays.fill(value, ++stamp);
                change(page, () -> driver.startWrite(offset, bytes(value, 0, SECTORS)), value, 0, SECTORS);
            }
            case 3 -> {
                int from = random.nextInt(SECTORS);
                int to = from + 1 + random.nextInt(SECTORS - from);
                long[] value = new long[SECTORS];
                Arrays.fill(value, from, to, ++stamp);
                change(
                        page,
                        () -> driver.startWrite(offset + (long) from * SECTOR, bytes(value, from, to)),
                        value,
                        from,
                        to);
            }
            case 4 -> change(page, () -> driver.startTrim(offset, PAGE), new long[SECTORS], 0, SECTORS);
            case 5 ->
                change(
                        page,
                        () -> driver.submit(
                                (queue, done) -> queue.writeZeroes(offset, PAGE, false, false, false, done)),
                        new long[SECTORS],
                        0,
                        SECTORS);
            default -> {
                if (random.nextInt(4) == 0) {
                    CompletableFuture<Integer> _ = driver.submit((queue, done) -> queue.cache(offset, PAGE, done));
                }
                read(page, () -> driver.startRead(offset, PAGE));
            }
        }
    }

    /** What happened before an operation begins does not excuse it, and it may end before its start returns. */
    private void change(Page page, Supplier<CompletableFuture<Integer>> start, long[] value, int from, int to) {
        int lossesBefore = losses.get(slab(page));
        int lateBefore = late();
        CompletableFuture<Integer> done = start.get();
        boolean whole = to - from == SECTORS;
        running.add(new Running(page, done, () -> {
            List<long[]> after = new ArrayList<>();
            for (long[] before : whole ? List.of(value) : page.possible) {
                long[] changed = before.clone();
                System.arraycopy(value, from, changed, from, to - from);
                after.add(changed);
            }
            int error = DeviceDriver.join(done);
            if (error == 0) {
                page.possible = after;
                page.lossesThen = whole ? lossesBefore : Math.min(page.lossesThen, lossesBefore);
                return;
            }
            errors++;
            boolean excused = late() > lateBefore || (!whole && losses.get(slab(page)) > page.lossesThen);
            assertThat(excused)
                    .as("page %d: a change failed with %d, seed %d", page.number, error, seed)
                    .isTrue();
            page.possible = new ArrayList<>(page.possible);
            page.possible.addAll(after);
        }));
    }

    private void read(Page page, Supplier<DeviceDriver.Read> start) {
        int lateBefore = late();
        DeviceDriver.Read read = start.get();
        running.add(new Running(page, read.error(), () -> {
            int error = DeviceDriver.join(read.error());
            if (error != 0) {
                errors++;
                assertThat(error).isEqualTo(NbdError.EIO.code());
                // A change that failed has marked the page as written, wherever its slab is now.
                assertThat(late() > lateBefore || losses.get(slab(page)) > page.lossesThen || page.possible.size() > 1)
                        .as("page %d: a read failed though nothing was lost, seed %d", page.number, seed)
                        .isTrue();
                return;
            }
            for (int i = 0; i < page.possible.size(); i++) {
                if (Arrays.equals(read.bytes(), bytes(page.possible.get(i), 0, SECTORS))) {
                    // What was seen once is not older the next time.
                    page.possible = new ArrayList<>(page.possible.subList(i, page.possible.size()));
                    return;
                }
            }
            throw new AssertionError("page " + page.number + " reads as "
                    + ByteBuffer.wrap(read.bytes()).getLong() + ", possible are "
                    + page.possible.stream().map(Arrays::toString).toList() + ", seed " + seed);
        }));
    }

    private void settle() {
        Running first = running.removeFirst();
        first.check.run();
        first.page.busy = false;
    }

    private int late() {
        return device.stores.stream().mapToInt(store -> store.lateAnswers.get()).sum();
    }

    private static int slab(Page page) {
        return page.number >> (SLAB_SHIFT - 12);
    }

    private static byte[] bytes(long[] value, int from, int to) {
        ByteBuffer bytes = ByteBuffer.allocate((to - from) * SECTOR);
        for (int sector = from; sector < to; sector++) {
            for (int i = 0; i < SECTOR / Long.BYTES; i++) {
                bytes.putLong(value[sector]);
            }
        }
        return bytes.array();
    }
}
