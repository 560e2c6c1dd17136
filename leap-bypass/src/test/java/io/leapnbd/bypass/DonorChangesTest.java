package io.leapnbd.bypass;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.leapnbd.bypass.link.Donor;
import io.leapnbd.bypass.link.DonorAddress;
import io.leapnbd.bypass.link.DonorAddress.Transport;
import io.leapnbd.bypass.map.Placement;
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
import java.util.Arrays;
import java.util.List;
import java.util.Objects;
import java.util.Random;
import java.util.concurrent.TimeUnit;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Donors are added to a device and removed from it, over real sockets, while clients read and write. */
class DonorChangesTest {

    private static final int PAGE = 4096;
    private static final int SLAB = DonorProcess.SLAB;
    private static final int SLABS = 12;
    private static final int PAGES = SLABS * (SLAB / PAGE);
    private static final int LOOPS = 2;

    private final EventLoopGroup group = new MultiThreadIoEventLoopGroup(LOOPS, EpollIoHandler.newFactory());
    private final List<DonorProcess> processes = new ArrayList<>();
    private final CheckedLoads loads = new CheckedLoads(LOOPS, PAGES);
    private String state = "leap.state";
    private int[] zones = {0, 1, 2, 3};

    @SuppressWarnings("NullAway.Init") // Opened by each test.
    private RemoteDevice device;

    @TempDir
    private Path folder;

    @AfterEach
    void stop() throws Exception {
        loads.close();
        device.close();
        for (DonorProcess process : processes) {
            process.close();
        }
        group.shutdownGracefully(0, 1, TimeUnit.SECONDS).syncUninterruptibly();
    }

    /** A later server needs only those that are left, whether it has a state file or not. */
    @ParameterizedTest
    @ValueSource(ints = {1, 2})
    void aDeviceMovesFromDonorsToOthersAndEverythingComesAlong(int copies) throws IOException {
        start(4);
        open(copies, first(copies));
        loads.fill();
        loads.begin();
        int[] now = first(copies);
        for (int round = 0; round < 4; round++) {
            int[] next = Arrays.stream(now).map(i -> (i + 1) % 4).toArray();
            int[] both = IntStream.concat(Arrays.stream(now), Arrays.stream(next))
                    .distinct()
                    .toArray();
            change(both);
            awaitUsed(both);
            change(next);
            awaitUsed(next);
            now = next;
            for (int i = 0; i < 4; i++) {
                int one = i;
                if (Arrays.stream(now).noneMatch(used -> used == one)) {
                    Awaiting.that(
                            "its lease is given up",
                            () -> processes
                                    .get(one)
                                    .store
                                    .statistics()
                                    .exports()
                                    .isEmpty());
                }
            }
        }
        loads.end();
        loads.checkAll();
        assertThat(device.map().pagesLost()).isZero();
        assertThat(device.copiesDropped()).isZero();
        device.close();
        open(copies, now);
        loads.checkAll();
        device.close();
        Files.delete(folder.resolve("leap.state"));
        open(copies, now);
        loads.checkAll();
        assertThat(device.map().pagesLost()).isZero();
    }

    /** One may come while another goes, and a server may end in the middle of both, with its file or without. */
    @ParameterizedTest
    @ValueSource(ints = {1, 2})
    void aServerThatEndsInTheMiddleLeavesEveryPageToTheNext(int copies) throws Exception {
        long seed = new Random().nextLong();
        Random random = new Random(seed);
        start(4);
        int[] now = first(copies);
        open(copies, now);
        loads.fill();
        for (int round = 0; round < 10; round++) {
            int[] next = random.ints(0, 4)
                    .distinct()
                    .limit(copies + random.nextInt(2))
                    .toArray();
            int[] both = IntStream.concat(Arrays.stream(now), Arrays.stream(next))
                    .distinct()
                    .toArray();
            loads.begin();
            // A donor whose server ended right before it let go is not used before its lease has ended.
            List<String> away = device.donorSet().present().stream()
                    .filter(donor -> !donor.up())
                    .map(Donor::name)
                    .toList();
            boolean anyLeft = addresses(next).stream().anyMatch(one -> !away.contains(one.toString()));
            change(random.nextBoolean() || !anyLeft ? both : next);
            Thread.sleep(random.nextInt(150));
            loads.end();
            device.close();
            if (random.nextBoolean()) {
                Files.delete(folder.resolve("leap.state"));
            }
            open(copies, both);
            loads.checkAll();
            assertThat(device.map().pagesLost()).as("seed " + seed).isZero();
            now = both;
        }
        Awaiting.that("nothing is held for nothing", () -> held() == placed());
    }

    @Test
    void aDonorThatIsRemovedMayComeBack() throws IOException {
        start(2);
        open(1, 0, 1);
        loads.fill();
        for (int round = 0; round < 3; round++) {
            change(1);
            awaitUsed(1);
            loads.checkAll();
            change(0, 1);
            awaitUsed(0, 1);
            loads.checkAll();
        }
        assertThat(device.donors()).hasSize(5);
    }

    @Test
    void aDonorThatLeavesCanBeKept() throws IOException {
        start(2);
        open(1, 0, 1);
        processes.get(1).store.lendAtMost(0);
        loads.fill();
        change(1);
        Donor leaving = device.donors().getFirst();
        assertThat(leaving.use()).isEqualTo(Donor.Use.LEAVING);
        change(0, 1);
        awaitUsed(0, 1);
        processes.get(1).store.lendAtMost(SLABS);
        loads.checkAll();
        assertThat(device.map().copiesAt(0)).isPositive();
    }

    @Test
    void copiesThatWereLeftToTheDonorsComeAndGoWithThem() throws IOException {
        start(2);
        open(0, 0);
        loads.fill();
        assertThat(device.copies()).isOne();
        change(0, 1);
        awaitUsed(0, 1);
        Awaiting.that("every slab has two copies", () -> device.copies() == 2 && wellWith(2));
        change(1);
        awaitUsed(1);
        assertThat(device.copies()).isOne();
        loads.checkAll();
        assertThat(device.map().pagesLost()).isZero();
    }

    /** F1: what is given up is lost, and never zeros; nor does it come back with the donor, if the state file is gone as well. */
    @Test
    void whatADeadDonorAloneHadIsLostForTheNextServerToo() throws Exception {
        start(2);
        open(1, 0, 1);
        loads.fill();
        int[] there =
                IntStream.range(0, SLABS).filter(slab -> primary(slab) == 0).toArray();
        assertThat(there).isNotEmpty();
        DonorProcess dead = processes.getFirst();
        dead.server.close();
        Awaiting.that("it is down", () -> !device.donors().getFirst().up());
        assertThatThrownBy(() -> check(false, 1)).hasMessageContaining("cannot be reached and holds");
        device.donorSet().make(check(true, 1));
        awaitUsed(1);
        for (int slab : there) {
            assertThat(device.map().anyLost((long) slab * SLAB, SLAB)).isTrue();
            assertThat(device.map().anyWritten((long) slab * SLAB, SLAB)).isFalse();
        }
        device.close();
        Files.delete(folder.resolve("leap.state"));
        processes.set(0, new DonorProcess(dead.store));
        open(1, 1);
        for (int slab : there) {
            assertThat(device.map().anyLost((long) slab * SLAB, SLAB)).isTrue();
        }
        // Its lease has not ended. It was given up, and is not used before.
        assertThatThrownBy(() -> check(false, 0, 1)).hasMessageContaining("was given up; restart it");
    }

    /** Copies are kept apart by machines also where a donor comes to a machine that has some. */
    @Test
    void aDonorThatIsAddedOnAMachineOfOthersGetsNoSecondCopy() throws IOException {
        start(4);
        zones = new int[] {0, 0, 1, 1};
        open(2, 0, 1, 2);
        change(0, 1, 2, 3);
        awaitUsed(0, 1, 2, 3);
        change(1, 2, 3);
        awaitUsed(1, 2, 3);
        loads.fill();
        for (int slab = 0; slab < SLABS; slab++) {
            Placement now = Objects.requireNonNull(device.map().placement(slab));
            assertThat(now.members().stream().filter(copy -> copy.donor() < 2)).hasSize(1);
        }
        assertThat(device.map().copiesAt(3)).isPositive();
    }

    /** What it has of the export's name is another server's business. */
    @Test
    void aDonorThatAnotherServerUsesIsNotAdded() throws IOException {
        start(2);
        open(1, 1);
        loads.fill();
        RemoteDevice other = device;
        state = "other.state";
        try {
            open(1, 0);
            assertThatThrownBy(() -> check(false, 0, 1)).hasMessageContaining("holds other contents of export leap");
        } finally {
            other.close();
        }
    }

    @Test
    void slabsGoToWhereMoreMemoryIsFreeAndStayThere() throws IOException {
        start(2);
        open(1, 0);
        loads.fill();
        change(0, 1);
        awaitUsed(0, 1);
        // Of 12 each: 12 and 0, and then 8 and 4, as the shares differ by a third, and by a sixth with one more.
        Awaiting.that(
                "they are balanced",
                () -> device.map().copiesAt(1) == 5 && device.map().copiesAt(0) == SLABS - 5);
        loads.checkAll();
        assertThat(device.copiesBalanced()).isEqualTo(5);
    }

    private static int[] first(int copies) {
        return IntStream.range(0, copies).toArray();
    }

    private void start(int count) throws IOException {
        for (int i = 0; i < count; i++) {
            processes.add(new DonorProcess(SLABS));
        }
    }

    /** With so many copies, or 0 if that is left to the donors. */
    private void open(int copies, int... which) throws IOException {
        device = RemoteDevice.open(
                new RemoteDeviceContext()
                        .size((long) SLABS * SLAB)
                        .donors(addresses(which))
                        .copies(Math.max(1, copies))
                        .copiesByDefault(copies == 0 ? 2 : 0)
                        .cacheSize(64L * PAGE)
                        .cacheLimit(64L * PAGE)
                        .prefetch(PrefetchPolicy.NEXT_N, LeapSettings.PUBLISHED)
                        .requestTimeout(Duration.ofSeconds(30))
                        .wait(Duration.ofSeconds(2))
                        .stateFile(folder.resolve(state))
                        .conclude(),
                group);
        loads.use(device, group);
    }

    private List<DonorAddress> addresses(int... which) {
        return Arrays.stream(which)
                .mapToObj(i -> new DonorAddress(
                        Transport.TCP, "127.0.0.1", processes.get(i).address().getPort(), "zone" + zones[i]))
                .toList();
    }

    private DonorChange check(boolean loseMissing, int... which) {
        return device.donorSet().check(addresses(which), loseMissing);
    }

    private void change(int... which) {
        device.donorSet().make(check(false, which));
    }

    private void awaitUsed(int... which) {
        List<String> names =
                addresses(which).stream().map(DonorAddress::toString).sorted().toList();
        Awaiting.that(
                "the donors are " + names,
                () -> device.donorSet().present().stream().allMatch(donor -> donor.use() == Donor.Use.USED)
                        && device.donorSet().present().stream()
                                .map(Donor::name)
                                .sorted()
                                .toList()
                                .equals(names));
    }

    private int primary(int slab) {
        Placement now = device.map().placement(slab);
        return now == null ? -1 : now.primary().donor();
    }

    private int placed() {
        int placed = 0;
        for (int slab = 0; slab < SLABS; slab++) {
            Placement now = device.map().placement(slab);
            placed += now == null ? 0 : now.size();
        }
        return placed;
    }

    private int held() {
        return processes.stream()
                .mapToInt(one -> one.store.statistics().lentSlabs())
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
}
