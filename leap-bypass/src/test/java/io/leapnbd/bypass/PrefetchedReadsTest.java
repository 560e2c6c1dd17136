package io.leapnbd.bypass;

import static org.assertj.core.api.Assertions.assertThat;

import io.leapnbd.bypass.latency.Operation;
import io.leapnbd.bypass.latency.Stage;
import io.leapnbd.bypass.link.DonorAddress;
import io.leapnbd.donor.store.StoreSettings;
import io.leapnbd.donor.store.StoreStatistics;
import io.leapnbd.prefetch.CacheFigures;
import io.leapnbd.prefetch.LeapSettings;
import io.leapnbd.prefetch.PrefetchPolicy;
import io.netty.channel.EventLoop;
import io.netty.channel.EventLoopGroup;
import io.netty.channel.MultiThreadIoEventLoopGroup;
import io.netty.channel.epoll.EpollIoHandler;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** Reads that a policy has seen coming, over a real donor behind a relay that can hold bytes back. */
class PrefetchedReadsTest {

    private static final int PAGE = 4096;
    private static final int PAGES = 1024;

    /** OwnershipLease's. */
    private static final long LEASE_NANOS = TimeUnit.SECONDS.toNanos(1);

    private static final int MOST_ROUNDS = 30;

    private EventLoopGroup group;
    private DonorProcess donor;
    private FaultProxy proxy;

    @SuppressWarnings("NullAway.Init") // Opened by each test.
    private RemoteDevice device;

    @SuppressWarnings("NullAway.Init") // Opened by each test.
    private DeviceDriver driver;

    @BeforeEach
    void start() throws IOException {
        group = new MultiThreadIoEventLoopGroup(2, EpollIoHandler.newFactory());
        donor = new DonorProcess(PAGES * PAGE / DonorProcess.SLAB);
        proxy = new FaultProxy(donor.address());
    }

    @AfterEach
    void stop() throws IOException {
        device.close();
        proxy.close();
        donor.close();
        group.shutdownGracefully(0, 1, TimeUnit.SECONDS).syncUninterruptibly();
    }

    @Test
    void aSequentialStreamIsReadOnceFromTheDonorAndMostOfItAheadOfDemand() throws IOException {
        open(PrefetchPolicy.LEAP);
        writeAll();
        for (int page = 0; page < PAGES; page++) {
            assertThat(driver.read((long) page * PAGE, PAGE)).isEqualTo(content(page, 0));
        }
        CacheFigures cache = device.cache().figures();
        long hits = cache.hits() + cache.inFlightHits();
        // Every page went over the wire once, whether somebody waited for it or not.
        assertThat(donor.store.statistics().reads()).isEqualTo(PAGES);
        assertThat(hits).isGreaterThan(PAGES / 2);
        assertThat(hits + cache.misses()).isEqualTo(PAGES);
        assertThat(cache.pagesUsed()).isEqualTo(hits);
        assertThat(device.prefetching().figures().trendsFound()).isPositive();
        assertThat(device.prefetching().figures().windowInUse()).isPositive();
        assertThat(device.latencies()
                        .snapshot(Operation.PREFETCH, Stage.TIMELINESS)
                        .getTotalCount())
                .isEqualTo(cache.pagesUsed());
    }

    @Test
    void aHitIsServedWhileTheDonorIsSilent() throws IOException {
        open(PrefetchPolicy.NEXT_N);
        writeAll();
        driver.read(0, PAGE);
        Await.until(() -> device.cache().figures().adds() == 8);
        proxy.holdOpenConnections();
        StoreStatistics before = donor.store.statistics();
        for (int page = 1; page <= 8; page++) {
            assertThat(driver.read((long) page * PAGE, PAGE)).isEqualTo(content(page, 0));
        }
        assertThat(donor.store.statistics().reads()).isEqualTo(before.reads());
        assertThat(device.cache().figures().hits()).isEqualTo(8);
    }

    @Test
    void whatARequestDemandsIsNotFetchedAheadForIt() throws IOException {
        open(PrefetchPolicy.NEXT_N);
        writeAll();
        long before = donor.store.statistics().reads();
        driver.read(0, 8 * PAGE);
        // All is claimed before the first of it has come: pages 8 to 15.
        Await.until(() -> device.cache().figures().adds() == 8);

        assertThat(device.cache().figures().slotsInUse()).isEqualTo(8);
        assertThat(donor.store.statistics().reads()).isEqualTo(before + 1 + 8);
    }

    @Test
    void whatAnotherRequestDemandsAtTheSameTimeIsNotFetchedAheadEither() throws IOException {
        open(PrefetchPolicy.NEXT_N);
        writeAll();
        long before = donor.store.statistics().reads();
        List<DeviceDriver.Read> reads = driver.startReads(PAGE, 0, PAGE, 2 * PAGE);
        // Pages 3 to 8, by the first of them; the others count as hits.
        Await.until(() -> device.cache().figures().adds() == 6);
        for (int page = 0; page < 3; page++) {
            assertThat(bytes(reads.get(page))).isEqualTo(content(page, 0));
        }
        assertThat(device.cache().figures().slotsInUse()).isEqualTo(6);
        assertThat(donor.store.statistics().reads()).isEqualTo(before + 3 + 6);
    }

    /**
     * A loop answers by itself only what was asked for within a second of a proof of ownership. So a round in which the machine took longer
     * shows nothing: its demands are asked of the donor as well, and rightly, which makes twelve to fourteen reads in all.
     */
    @Test
    void aDemandForAPageOnItsWayWaitsForItOnEitherLoop() throws IOException {
        boolean shown = false;
        for (int round = 0; round < MOST_ROUNDS && !shown; round++) {
            if (round > 0) {
                stop();
                start();
            }
            shown = threeDemandsMeetFetchesWithinTheLease();
        }
        assertThat(shown).isTrue();
    }

    /** False if it took too long to show anything. */
    private boolean threeDemandsMeetFetchesWithinTheLease() throws IOException {
        open(PrefetchPolicy.NEXT_N);
        writeAll();
        DeviceDriver other = new DeviceDriver(device, group.next());
        long before = donor.store.statistics().reads();
        long proven = System.nanoTime();
        assertThat(driver.write((PAGES - 1L) * PAGE, content(PAGES - 1, 0))).isZero();
        List<FaultProxy.Relay> held = proxy.holdOpenConnections();
        DeviceDriver.Read first = driver.startRead(0, PAGE);
        Await.until(() -> device.cache().figures().slotsInUse() == 8);
        DeviceDriver.Read same = driver.startRead(PAGE, PAGE);
        DeviceDriver.Read across = other.startRead(2 * PAGE, PAGE);
        DeviceDriver.Read again = other.startRead(2 * PAGE, PAGE);
        // All three wait for their page before it comes. A page leaves when it has been read; who comes later fetches
        // it once more.
        driver.awaitTurn();
        other.awaitTurn();
        boolean inTime = System.nanoTime() - proven < LEASE_NANOS;
        held.forEach(FaultProxy.Relay::release);

        assertThat(bytes(first)).isEqualTo(content(0, 0));
        assertThat(bytes(same)).isEqualTo(content(1, 0));
        assertThat(bytes(across)).isEqualTo(content(2, 0));
        assertThat(bytes(again)).isEqualTo(content(2, 0));
        if (inTime) {
            assertThat(donor.store.statistics().reads()).isEqualTo(before + 9);
        }
        return inTime;
    }

    /** A loop takes up plain tasks for as long as there are some, and its sockets and timers only then. */
    @Test
    void aLongDecisionLetsTheLoopLookAfterOthersInBetween() throws IOException {
        EventLoop loop = group.next();
        open(PrefetchPolicy.NONE);
        writeAll();
        AtomicInteger decided = new AtomicInteger();
        device.prefetching().choose(PrefetchPolicy.NEXT_N, (page, hit, connection, nanos, candidates) -> {
            decided.incrementAndGet();
            return 0;
        });
        DeviceDriver one = new DeviceDriver(device, loop);
        CompletableFuture<Integer> atTimer = new CompletableFuture<>();
        CompletableFuture<DeviceDriver.Read> begun = new CompletableFuture<>();
        loop.execute(() -> {
            begun.complete(one.startRead(0, PAGES * PAGE));
            // Due by the time that the read has been begun and the first of it is decided.
            loop.execute(() -> loop.schedule(() -> atTimer.complete(decided.get()), 0, TimeUnit.NANOSECONDS));
        });
        assertThat(bytes(DeviceDriver.join(begun))).hasSize(PAGES * PAGE);
        Await.until(() -> decided.get() == PAGES);
        assertThat(DeviceDriver.join(atTimer)).isLessThan(PAGES);
    }

    @Test
    void aFetchThatADemandWaitsForGoesAheadOfOtherFetches() throws Exception {
        openWithFewInFlight();
        assertThat(addsAtTheEndOfTwoReads(driver, 8, 7)).isEqualTo(4);
    }

    @Test
    void aFetchThatADemandOnAnotherLoopWaitsForGoesAheadOfOtherFetches() throws Exception {
        openWithFewInFlight();
        // If page 8 had not gone ahead, page 3 would come third.
        assertThat(addsAtTheEndOfTwoReads(new DeviceDriver(device, group.next()), 8, 3))
                .isEqualTo(4);
    }

    /** A link that has three requests on the way at most, so that fetches queue. */
    private void openWithFewInFlight() throws IOException {
        donor.close();
        donor = new DonorProcess(
                StoreSettings.ofMemory((long) PAGES * PAGE, DonorProcess.SLAB).withMaxInFlight(3));
        proxy.redirect(donor.address());
        open(PrefetchPolicy.NEXT_N);
        writeAll();
    }

    /**
     * Reads two pages whose fetches are queued, the first by {@code reader}; returns how many fetches had ended when the second
     * did.
     */
    private long addsAtTheEndOfTwoReads(DeviceDriver reader, int first, int second) {
        List<FaultProxy.Relay> held = proxy.holdOpenConnections();
        DeviceDriver.Read miss = driver.startRead(0, PAGE);
        // The demand and the fetches of pages 1 and 2 are on the way; those of 3 to 8 wait.
        Await.until(() -> device.cache().figures().slotsInUse() == 8);
        DeviceDriver.Read one = reader.startRead((long) first * PAGE, PAGE);
        reader.awaitTurn();
        DeviceDriver.Read two = driver.startRead((long) second * PAGE, PAGE);
        CompletableFuture<Long> adds =
                two.error().thenApply(error -> device.cache().figures().adds());
        driver.awaitTurn();
        held.forEach(FaultProxy.Relay::release);
        assertThat(bytes(miss)).isEqualTo(content(0, 0));
        assertThat(bytes(one)).isEqualTo(content(first, 0));
        assertThat(bytes(two)).isEqualTo(content(second, 0));
        return DeviceDriver.join(adds);
    }

    @Test
    void aWriteToAPageOnItsWayIsWhatIsRead() throws IOException {
        open(PrefetchPolicy.NEXT_N);
        writeAll();
        DeviceDriver other = new DeviceDriver(device, group.next());
        List<FaultProxy.Relay> held = proxy.holdOpenConnections();
        DeviceDriver.Read miss = driver.startRead(0, PAGE);
        Await.until(() -> device.cache().figures().slotsInUse() == 8);
        CompletableFuture<Integer> write = other.startWrite(PAGE, content(1, 1));
        CompletableFuture<Integer> trim = other.startTrim(2 * PAGE, PAGE);
        Await.until(() -> device.cache().figures().invalidated() == 2);
        held.forEach(FaultProxy.Relay::release);

        assertThat(DeviceDriver.join(write)).isZero();
        assertThat(DeviceDriver.join(trim)).isZero();
        assertThat(bytes(miss)).isEqualTo(content(0, 0));
        assertThat(driver.read(PAGE, PAGE)).isEqualTo(content(1, 1));
        assertThat(driver.read(2 * PAGE, PAGE)).containsOnly(0);
    }

    @Test
    void pagesThatNoDonorHasAreNotFetched() throws IOException {
        open(PrefetchPolicy.NEXT_N);
        driver.write(0, content(0, 0));
        driver.write(3 * PAGE, content(3, 0));
        driver.read(0, PAGE);
        Await.until(() -> device.cache().figures().adds() == 1);
        assertThat(donor.store.statistics().reads()).isEqualTo(2);
        assertThat(driver.read(PAGE, PAGE)).containsOnly(0);
        assertThat(driver.read(3 * PAGE, PAGE)).isEqualTo(content(3, 0));
    }

    @Test
    void withoutAPolicyNothingIsFetchedAheadAndNothingLookedUp() throws IOException {
        open(PrefetchPolicy.NONE);
        writeAll();
        for (int page = 0; page < 100; page++) {
            driver.read((long) page * PAGE, PAGE);
        }
        CacheFigures cache = device.cache().figures();
        assertThat(cache.adds() + cache.hits() + cache.misses()).isZero();
        assertThat(donor.store.statistics().reads()).isEqualTo(100);
    }

    @Test
    void aPolicyIsChangedWhileTheDeviceIsRead() throws IOException {
        open(PrefetchPolicy.NONE);
        writeAll();
        driver.read(0, PAGE);
        device.prefetching().choose(PrefetchPolicy.NEXT_N, LeapSettings.PUBLISHED);
        driver.read(100 * PAGE, PAGE);
        Await.until(() -> device.cache().figures().adds() == 8);
        device.prefetching().choose(PrefetchPolicy.NONE, LeapSettings.PUBLISHED);
        driver.read(200 * PAGE, PAGE);
        assertThat(driver.read(101 * PAGE, PAGE)).isEqualTo(content(101, 0));
        assertThat(device.cache().figures().hits()).isEqualTo(1);
        assertThat(device.cache().figures().adds()).isEqualTo(8);
    }

    @Test
    void aPolicyThatFailsIsPutAsideAndReadsGoOn() throws IOException {
        open(PrefetchPolicy.NONE);
        writeAll();
        device.prefetching().choose(PrefetchPolicy.LEAP, (page, hit, connection, nanos, candidates) -> {
            throw new IllegalStateException("defect");
        });
        assertThat(driver.read(0, PAGE)).isEqualTo(content(0, 0));
        Await.until(() -> device.prefetching().figures().failure() != null);
        assertThat(device.prefetching().figures().failure()).contains("leap", "defect");
        assertThat(driver.read(PAGE, PAGE)).isEqualTo(content(1, 0));
        assertThat(device.cache().figures().adds()).isZero();

        device.prefetching().choose(PrefetchPolicy.NEXT_N, LeapSettings.PUBLISHED);
        driver.read(0, PAGE);
        Await.until(() -> device.cache().figures().adds() == 8);
        assertThat(device.prefetching().figures().failure()).isNull();
    }

    @Test
    void aPolicyLearnsNothingFromReadsThatTheClientHasAnnounced() throws IOException {
        open(PrefetchPolicy.NONE);
        writeAll();
        List<Long> demands = new CopyOnWriteArrayList<>();
        device.prefetching().choose(PrefetchPolicy.LEAP, (page, hit, connection, nanos, candidates) -> {
            demands.add(page);
            return 0;
        });
        assertThat(driver.cache(10 * PAGE, 4 * PAGE)).isZero();
        Await.until(() -> device.cache().figures().adds() == 4);
        for (int page : new int[] {10, 11, 50, 12, 13, 11}) {
            assertThat(driver.read((long) page * PAGE, PAGE)).isEqualTo(content(page, 0));
        }
        // Announced is announced once.
        Await.until(() -> demands.size() == 2);
        assertThat(demands).containsExactly(50L, 11L);
        assertThat(device.cache().figures().hits()).isEqualTo(4);
    }

    @Test
    void aFetchThatFailsIsADemandLikeAnyOther() throws IOException {
        open(PrefetchPolicy.NEXT_N);
        writeAll();
        proxy.holdOpenConnections();
        DeviceDriver.Read miss = driver.startRead(0, PAGE);
        Await.until(() -> device.cache().figures().slotsInUse() == 8);
        DeviceDriver.Read waiting = driver.startRead(PAGE, PAGE);
        driver.awaitTurn();
        donor.close();
        proxy.cut();
        donor = new DonorProcess(PAGES * PAGE / DonorProcess.SLAB);
        proxy.redirect(donor.address());

        // The pages are gone with the donor: errors, and never zeros.
        assertThat(DeviceDriver.join(miss.error())).isPositive();
        assertThat(DeviceDriver.join(waiting.error())).isPositive();
        Await.until(() -> device.cache().isEmpty());
        assertThat(device.cache().figures().aborted()).isEqualTo(8);
        assertThat(driver.write(PAGE, content(1, 2))).isZero();
        assertThat(driver.read(PAGE, PAGE)).isEqualTo(content(1, 2));
    }

    @Test
    void readersNeverSeeWhatAWriterHasReplaced() throws Exception {
        open(PrefetchPolicy.NEXT_N);
        int hot = 64;
        long[] acknowledged = new long[hot];
        for (int page = 0; page < hot; page++) {
            driver.write((long) page * PAGE, stamped(page, 0));
        }
        DeviceDriver other = new DeviceDriver(device, group.next());
        Random random = new Random();
        for (int round = 1; round <= 400; round++) {
            List<CompletableFuture<Integer>> changes = new ArrayList<>();
            List<DeviceDriver.Read> reads = new ArrayList<>();
            List<Integer> pages = new ArrayList<>();
            int changed = random.nextInt(hot);
            long[] atLeast = acknowledged.clone();
            changes.add(other.startWrite((long) changed * PAGE, stamped(changed, round)));
            for (int i = 0; i < 8; i++) {
                int page = i < 4 ? Math.max(0, changed - 3 + i) : random.nextInt(hot);
                pages.add(page);
                reads.add((i % 2 == 0 ? driver : other).startRead((long) page * PAGE, PAGE));
            }
            for (CompletableFuture<Integer> change : changes) {
                assertThat(DeviceDriver.join(change)).isZero();
            }
            acknowledged[changed] = round;
            // What was acknowledged before must be there now.
            assertThat(stamp(bytes(driver.startRead((long) changed * PAGE, PAGE)), changed))
                    .isEqualTo(round);
            for (int i = 0; i < reads.size(); i++) {
                int page = pages.get(i);
                assertThat(stamp(bytes(reads.get(i)), page)).isGreaterThanOrEqualTo(atLeast[page]);
            }
        }
        assertThat(device.cache().figures().adds()).isPositive();
        assertThat(device.cache().figures().invalidated()).isPositive();
    }

    private void open(PrefetchPolicy policy) throws IOException {
        device = RemoteDevice.open(
                new RemoteDeviceContext()
                        .size((long) PAGES * PAGE)
                        .donors(List.of(new DonorAddress("127.0.0.1", proxy.port())))
                        .requestTimeout(Duration.ofSeconds(20))
                        .prefetch(policy, LeapSettings.PUBLISHED)
                        .conclude(),
                group);
        driver = new DeviceDriver(device, group.next());
    }

    private void writeAll() {
        byte[] all = new byte[PAGES * PAGE];
        for (int page = 0; page < PAGES; page++) {
            System.arraycopy(content(page, 0), 0, all, page * PAGE, PAGE);
        }
        assertThat(driver.write(0, all)).isZero();
    }

    private static byte[] bytes(DeviceDriver.Read read) {
        assertThat(DeviceDriver.join(read.error())).isZero();
        return read.bytes();
    }

    private static byte[] content(int page, int version) {
        byte[] bytes = new byte[PAGE];
        new Random(page * 31L + version).nextBytes(bytes);
        return bytes;
    }

    /** A page that says everywhere which it is and how often it was written. */
    private static byte[] stamped(int page, long version) {
        ByteBuffer bytes = ByteBuffer.allocate(PAGE);
        while (bytes.hasRemaining()) {
            bytes.putLong((long) page << 32 | version);
        }
        return bytes.array();
    }

    private static long stamp(byte[] bytes, int page) {
        long first = ByteBuffer.wrap(bytes).getLong();
        assertThat(first >>> 32).isEqualTo(page);
        assertThat(bytes).isEqualTo(stamped(page, first & 0xffff_ffffL));
        assertThat(Arrays.mismatch(bytes, stamped(page, first & 0xffff_ffffL))).isEqualTo(-1);
        return first & 0xffff_ffffL;
    }
}
