package io.leapnbd.bypass;

import static org.assertj.core.api.Assertions.assertThat;

import io.leapnbd.bypass.link.Donor;
import io.leapnbd.bypass.link.DonorAddress;
import io.leapnbd.bypass.link.DonorAddress.Transport;
import io.leapnbd.bypass.map.Placement;
import io.leapnbd.nbd.spi.NbdError;
import io.leapnbd.prefetch.LeapSettings;
import io.leapnbd.prefetch.PrefetchPolicy;
import io.netty.channel.EventLoopGroup;
import io.netty.channel.MultiThreadIoEventLoopGroup;
import io.netty.channel.epoll.EpollIoHandler;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.Random;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Slabs go from donors that want memory back to others, over real sockets, while clients read and write. */
class MovesTest {

    private static final int PAGE = 4096;
    private static final int SLAB = DonorProcess.SLAB;
    private static final int SLABS = 12;
    private static final int PAGES = SLABS * (SLAB / PAGE);
    private static final int LOOPS = 2;

    private final EventLoopGroup group = new MultiThreadIoEventLoopGroup(LOOPS, EpollIoHandler.newFactory());
    private final List<DonorProcess> donors = new ArrayList<>();
    private final CheckedLoads loads = new CheckedLoads(LOOPS, PAGES);
    private Duration requestTimeout = Duration.ofSeconds(30);

    @SuppressWarnings("NullAway.Init") // Opened by each test.
    private RemoteDevice device;

    @TempDir
    private Path folder;

    @AfterEach
    void stop() throws Exception {
        device.close();
        for (DonorProcess donor : donors) {
            donor.close();
        }
        group.shutdownGracefully(0, 1, TimeUnit.SECONDS).syncUninterruptibly();
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 2})
    void whatADonorWantsBackGoesElsewhereWhileClientsReadAndWrite(int copies) throws IOException {
        open(3, copies);
        loads.fill();
        loads.begin();
        for (int round = 0; round < 3; round++) {
            DonorProcess wanting = donors.get(round);
            assertThat(wanting.store.statistics().lentSlabs()).isPositive();
            wanting.store.lendAtMost(0);
            Awaiting.that(
                    "it has all its slabs back",
                    () -> wanting.store.statistics().lentSlabs() == 0);
            wanting.store.lendAtMost(SLABS);
            Donor donor = device.donors().get(round);
            Awaiting.that("the server knows that it lends again", () -> donor.freeSlabs() > 0);
        }
        loads.end();
        Awaiting.that("every slab has its copies", () -> wellWith(copies));
        loads.checkAll();
        assertThat(device.map().pagesLost()).isZero();
        assertThat(device.copiesDropped()).isZero();
        assertThat(device.copiesMoved()).isPositive();
        Awaiting.that("nothing is held for nothing", () -> heldInAll() == placedInAll());
    }

    @Test
    void aDonorGetsAsManyBackAsItWantsAndNoMoreAndTheEmptiestFirst() throws IOException {
        open(1, 1);
        for (int slab = 0; slab < SLABS; slab++) {
            // The later ones have less.
            byte[] bytes = new byte[(SLABS - slab) * PAGE];
            new Random(slab).nextBytes(bytes);
            assertThat(loads.driver().write((long) slab * SLAB, bytes)).isZero();
        }
        DonorProcess wanting = donors.getFirst();
        wanting.store.lendAtMost(SLABS - 3);
        Awaiting.that("the server has heard that there is no room", device::noRoomToMove);
        assertThat(wanting.store.statistics().lentSlabs()).isEqualTo(SLABS);
        device.close();
        donors.add(new DonorProcess(SLABS));
        reopen(1);
        Awaiting.that("it has three back", () -> wanting.store.statistics().lentSlabs() == SLABS - 3);
        assertThat(wanting.store.wantedBack()).isZero();
        for (int slab = 0; slab < SLABS; slab++) {
            Placement now = Objects.requireNonNull(device.map().placement(slab));
            assertThat(now.primary().donor()).as("donor of slab %s", slab).isEqualTo(slab < SLABS - 3 ? 0 : 1);
        }
        assertThat(device.noRoomToMove()).isFalse();
    }

    /** As swapon does it: the kernel trims what is free, and programs write it again later. */
    @ParameterizedTest
    @ValueSource(ints = {1, 2})
    void slabsThatAreTrimmedWholeGoHomeAndComeBackWhenTheyAreWritten(int copies) throws IOException {
        open(2, copies);
        loads.fill();
        assertThat(loads.driver().trim(0, (long) (SLABS - 1) * SLAB)).isZero();
        loads.blank(PAGES - SLAB / PAGE);
        loads.checkAll();
        Awaiting.that("only the slab that was not trimmed is held", () -> heldInAll() == copies);
        loads.checkAll();
        Awaiting.that("all are counted", () -> device.slabsGivenBack() == SLABS - 1);
        device.close();
        reopen(copies);
        loads.checkAll();
        loads.fill();
        loads.checkAll();
        assertThat(heldInAll()).isEqualTo(SLABS * copies);
        assertThat(device.map().pagesLost()).isZero();
    }

    /** Zeroes without a hole promise that a write will find memory. */
    @Test
    void aSlabThatIsToKeepItsMemoryIsNotGivenBack() throws IOException {
        open(1, 1);
        assertThat(loads.driver().write(0, CheckedLoad.page(1))).isZero();
        assertThat(loads.driver().write(SLAB, CheckedLoad.page(1))).isZero();
        assertThat(loads.driver().zero(0, SLAB, true)).isZero();
        assertThat(loads.driver().zero(SLAB, SLAB, false)).isZero();
        Awaiting.that("one is back", () -> device.map().placement(1) == null);
        assertThat(device.map().placement(0)).isNotNull();
        assertThat(heldInAll()).isEqualTo(1);
    }

    /** Slabs that go home at once, as all donors in turn want memory, while others are trimmed and written. */
    @Test
    void nothingIsWrongWhereSlabsAreTrimmedAndWrittenAndMovedAllAtOnce() throws Exception {
        open(3, 1);
        loads.fill();
        loads.begin();
        // A slow machine may need more rounds until a slab was blank when it was looked at.
        for (int round = 0; round < 40 || (round < 1000 && device.slabsGivenBack() == 0); round++) {
            donors.get(round % 3).store.lendAtMost(round % 6 < 3 ? 0 : 2);
            Thread.sleep(40);
            donors.get(round % 3).store.lendAtMost(SLABS);
        }
        loads.end();
        loads.checkAll();
        assertThat(device.map().pagesLost()).isZero();
        assertThat(device.slabsGivenBack()).isPositive();
        device.close();
        Files.delete(folder.resolve("leap.state"));
        reopen(1);
        loads.checkAll();
    }

    @Test
    void whatAnOperatorDrainsIsEmptiedAndNotUsedUntilHeSaysSo() throws IOException {
        open(2, 1);
        loads.fill();
        device.donors().getFirst().drain(true);
        Awaiting.that("it is empty", () -> donors.getFirst().store.statistics().lentSlabs() == 0);
        loads.checkAll();
        device.donors().getFirst().drain(false);
        device.donors().getLast().drain(true);
        Awaiting.that(
                "the other is empty", () -> donors.getLast().store.statistics().lentSlabs() == 0);
        loads.checkAll();
    }

    /** It stayed in the note, so that a later start could do without it only with --lose-missing. */
    @Test
    void aDrainedDonorThatHoldsNothingNeedNotBeHeardByALaterStartWithoutAStateFile() throws Exception {
        requestTimeout = Duration.ofSeconds(1);
        open(3, 1);
        loads.fill();
        device.donors().getFirst().drain(true);
        Awaiting.that("it is empty", () -> donors.getFirst().store.statistics().lentSlabs() == 0);
        Awaiting.that("nobody has to hear it", () -> !device.needsToHear(0));
        Awaiting.that("others know", device::noteIsSpread);
        device.close();
        Files.delete(folder.resolve("leap.state"));
        donors.removeFirst().close();
        requestTimeout = Duration.ofSeconds(30);
        reopen(1);
        loads.checkAll();
        assertThat(device.map().pagesLost()).isZero();
    }

    /** It may be used again only when all others know of it again: a start that hears one of them has to look for it. */
    @Test
    void aDrainedDonorIsUsedAgainWhenItIsWanted() throws Exception {
        requestTimeout = Duration.ofSeconds(1);
        open(2, 1);
        loads.fill();
        device.donors().getFirst().drain(true);
        Awaiting.that("it is empty", () -> donors.getFirst().store.statistics().lentSlabs() == 0);
        Awaiting.that("nobody has to hear it", () -> !device.needsToHear(0));
        device.donors().getFirst().drain(false);
        device.donors().getLast().drain(true);
        Awaiting.that(
                "the other is empty", () -> donors.getLast().store.statistics().lentSlabs() == 0);
        assertThat(device.needsToHear(0)).isTrue();
        device.close();
        Files.delete(folder.resolve("leap.state"));
        reopen(1);
        loads.checkAll();
        assertThat(device.map().pagesLost()).isZero();
    }

    /** A server that wants fewer copies than the one before keeps what is there. But nothing has to be copied before one goes. */
    @Test
    void aCopyThatIsOneMoreThanWantedGoesWithoutAnother() throws IOException {
        open(2, 2);
        loads.fill();
        device.close();
        reopen(1);
        assertThat(heldInAll()).isEqualTo(2 * SLABS);
        donors.getFirst().store.lendAtMost(0);
        Awaiting.that("it has all its slabs back", () -> heldInAll() == SLABS);
        loads.checkAll();
        assertThat(device.copiesFilled()).isZero();
        assertThat(device.copiesDropped()).isZero();
    }

    /** What a donor has said of its room may be old: one that nothing is asked of says nothing. */
    @Test
    void aDonorThatHadNoRoomIsAskedBeforeAWriteFails() throws IOException {
        open(1, 1);
        DonorProcess donor = donors.getFirst();
        donor.store.lendAtMost(0);
        DeviceDriver driver = loads.driver();
        assertThat(driver.write(0, CheckedLoad.page(1))).isEqualTo(NbdError.ENOSPC.code());
        for (int round = 0; round < SLABS - 1; round++) {
            donor.store.lendAtMost(round + 1);
            assertThat(driver.write((long) round * SLAB, CheckedLoad.page(round + 1)))
                    .isZero();
            assertThat(driver.write((long) (round + 1) * SLAB, CheckedLoad.page(1)))
                    .isEqualTo(NbdError.ENOSPC.code());
        }
    }

    /** A server that is killed in the middle of moves, with its file or without: the next one finds every page. */
    @ParameterizedTest
    @ValueSource(ints = {1, 2})
    void aServerThatEndsInTheMiddleOfMovesLeavesEveryPageToTheNext(int copies) throws Exception {
        long seed = new Random().nextLong();
        Random random = new Random(seed);
        open(3, copies);
        loads.fill();
        for (int round = 0; round < 8; round++) {
            DonorProcess wanting = donors.get(round % 3);
            loads.begin();
            wanting.store.lendAtMost(0);
            Thread.sleep(random.nextInt(120));
            loads.end();
            device.close();
            if (random.nextBoolean()) {
                Files.delete(folder.resolve("leap.state"));
            }
            reopen(copies);
            loads.checkAll();
            Awaiting.that(
                    "it has all its slabs back",
                    () -> wanting.store.statistics().lentSlabs() == 0);
            wanting.store.lendAtMost(SLABS);
            loads.checkAll();
            Awaiting.that("every slab has its copies, seed " + seed, () -> wellWith(copies));
            assertThat(device.map().pagesLost()).as("seed " + seed).isZero();
        }
        Awaiting.that("nothing is held for nothing", () -> heldInAll() == placedInAll());
    }

    private int placedInAll() {
        int placed = 0;
        for (int slab = 0; slab < SLABS; slab++) {
            Placement now = device.map().placement(slab);
            placed += now == null ? 0 : now.size();
        }
        return placed;
    }

    private int heldInAll() {
        return donors.stream()
                .mapToInt(donor -> donor.store.statistics().lentSlabs())
                .sum();
    }

    private boolean wellWith(int copies) {
        for (int slab = 0; slab < SLABS; slab++) {
            Placement now = device.map().placement(slab);
            if (now != null && (now.live() != copies || now.size() != copies || !now.told())) {
                return false;
            }
        }
        return true;
    }

    private void open(int count, int copies) throws IOException {
        for (int i = 0; i < count; i++) {
            donors.add(new DonorProcess(SLABS));
        }
        reopen(copies);
    }

    private void reopen(int copies) throws IOException {
        List<DonorAddress> addresses = new ArrayList<>();
        for (int i = 0; i < donors.size(); i++) {
            addresses.add(new DonorAddress(
                    Transport.TCP, "127.0.0.1", donors.get(i).address().getPort(), copies == 1 ? "" : "zone" + i));
        }
        device = RemoteDevice.open(
                new RemoteDeviceContext()
                        .size((long) SLABS * SLAB)
                        .donors(addresses)
                        .copies(copies)
                        .cacheSize(64L * PAGE)
                        .cacheLimit(64L * PAGE)
                        .prefetch(PrefetchPolicy.NEXT_N, LeapSettings.PUBLISHED)
                        .requestTimeout(requestTimeout)
                        .wait(Duration.ofSeconds(2))
                        .stateFile(folder.resolve("leap.state"))
                        .conclude(),
                group);
        loads.use(device, group);
    }
}
