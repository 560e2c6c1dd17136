package io.leapnbd.bypass;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.leapnbd.bypass.link.Donor;
import io.leapnbd.bypass.link.DonorAddress;
import io.leapnbd.bypass.link.DonorAddress.Transport;
import io.leapnbd.bypass.map.Placement;
import io.leapnbd.bypass.spill.SpillSettings;
import io.leapnbd.prefetch.LeapSettings;
import io.leapnbd.prefetch.PrefetchPolicy;
import io.netty.channel.EventLoopGroup;
import io.netty.channel.MultiThreadIoEventLoopGroup;
import io.netty.channel.epoll.EpollIoHandler;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** A place of last resort: pages that no donor has room or life for are in a local file, and go back when there is room. */
class SpillTest {

    private static final int PAGE = 4096;
    private static final int SLAB = DonorProcess.SLAB;
    private static final int SLABS = 12;
    private static final int PAGES = SLABS * (SLAB / PAGE);
    private static final int LOOPS = 2;
    private static final Duration REQUEST = Duration.ofSeconds(30);

    private final EventLoopGroup group = new MultiThreadIoEventLoopGroup(LOOPS, EpollIoHandler.newFactory());
    private final List<DonorProcess> donors = new ArrayList<>();
    private final CheckedLoads loads = new CheckedLoads(LOOPS, PAGES);
    private @Nullable RemoteDevice opened;

    @TempDir
    private Path folder;

    @AfterEach
    void stop() throws Exception {
        if (opened != null) {
            opened.close();
        }
        for (DonorProcess donor : donors) {
            donor.close();
        }
        group.shutdownGracefully(0, 1, TimeUnit.SECONDS).syncUninterruptibly();
    }

    @Test
    void pagesThatDonorsHaveNoRoomForAreInTheFileAndGoBackWhenThereIsRoom() throws IOException {
        donors.add(new DonorProcess(SLABS));
        donors.getFirst().store.lendAtMost(4);
        open(1, SLABS);
        loads.fill();
        assertThat(donors.getFirst().store.statistics().lentSlabs()).isEqualTo(4);
        assertThat(inFile()).isEqualTo(SLABS - 4);
        assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(file())))
                .isEqualTo("rw-------");
        loads.checkAll();
        loads.begin();
        donors.getFirst().store.lendAtMost(SLABS);
        Awaiting.that("all have gone back", () -> inFile() == 0);
        loads.end();
        loads.checkAll();
        assertThat(device().map().pagesLost()).isZero();
        assertThat(device().copiesDropped()).isZero();
    }

    /** With the state file, and by lists alone. */
    @ParameterizedTest
    @ValueSource(booleans = {true, false})
    void theNextServerFindsThePagesThere(boolean stateFile) throws Exception {
        donors.add(new DonorProcess(4));
        open(1, SLABS);
        loads.fill();
        for (int round = 0; round < 3; round++) {
            loads.begin();
            Thread.sleep(50);
            loads.end();
            device().close();
            if (!stateFile) {
                Files.delete(folder.resolve("leap.state"));
            }
            open(1, SLABS);
            // One that was trimmed whole may have been given back.
            assertThat(inFile()).isPositive();
            loads.checkAll();
            loads.fill();
        }
        assertThat(device().map().pagesLost()).isZero();
    }

    @Test
    void aStartWithoutTheFileThatHasPagesIsRefusedLikeOneWithoutADonor() throws IOException {
        donors.add(new DonorProcess(4));
        open(1, SLABS);
        loads.fill();
        device().close();
        opened = null;
        assertThatThrownBy(() -> open(1, 0)).isInstanceOf(IOException.class).hasMessageContaining("spill:" + file());
        open(1, SLABS);
        loads.checkAll();
    }

    /** Two copies are wanted, and one donor lives: the second copies are in the file, until there is another donor. */
    @Test
    void theFileTakesTheSecondCopiesOfADonorThatIsGone() throws IOException {
        donors.add(new DonorProcess(SLABS));
        donors.add(new DonorProcess(SLABS));
        open(2, SLABS);
        loads.fill();
        assertThat(inFile()).isZero();
        loads.begin();
        donors.getFirst().close();
        Awaiting.that("the file has a copy of each", () -> inFile() == SLABS && wellWith(2));
        loads.end();
        donors.getLast().close();
        loads.checkAll();
        assertThat(device().map().pagesLost()).isZero();
    }

    /** A donor that is drained while no other is there gives its slabs to the file, and they do not come back as long as it is. */
    @Test
    void whatTheLastDonorWantsBackGoesToTheFile() throws IOException {
        donors.add(new DonorProcess(SLABS));
        open(1, SLABS);
        loads.fill();
        loads.begin();
        Donor first = device().donors().getFirst();
        first.drain(true);
        Awaiting.that("it is empty", () -> donors.getFirst().store.statistics().lentSlabs() == 0);
        loads.end();
        loads.checkAll();
        first.drain(false);
        Awaiting.that("all have gone back", () -> inFile() == 0);
        loads.checkAll();
    }

    /** As swapon does it: what is trimmed is given back, by the file too. */
    @Test
    void blankSlabsAreGivenBack() throws IOException {
        donors.add(new DonorProcess(1));
        open(1, SLABS);
        loads.fill();
        assertThat(loads.driver().trim(0, (long) SLABS * SLAB)).isZero();
        loads.blank(PAGES);
        Awaiting.that("the file is empty", () -> inFile() == 0);
        loads.checkAll();
        loads.fill();
        loads.checkAll();
    }

    @Test
    void writesFailOnlyWhenTheFileIsFullToo() throws IOException {
        donors.add(new DonorProcess(4));
        open(1, 8);
        donors.getFirst().store.lendAtMost(2);
        Donor first = device().donors().getFirst();
        Awaiting.that("the server knows that there is room for two", () -> first.freeSlabs() == 2);
        for (int slab = 0; slab < SLABS; slab++) {
            assertThat(loads.driver().write((long) slab * SLAB, CheckedLoad.page(slab + 1)))
                    .as("slab " + slab)
                    .isEqualTo(slab < 10 ? 0 : 28);
        }
        for (int slab = 0; slab < 10; slab++) {
            assertThat(loads.otherDriver().read((long) slab * SLAB, PAGE)).isEqualTo(CheckedLoad.page(slab + 1));
        }
        assertThat(inFile()).isEqualTo(8);
    }

    private int inFile() {
        return Objects.requireNonNull(device().spill()).store().lentSlabs();
    }

    private RemoteDevice device() {
        return Objects.requireNonNull(opened);
    }

    private Path file() {
        return folder.resolve("spill");
    }

    private boolean wellWith(int copies) {
        for (int slab = 0; slab < SLABS; slab++) {
            Placement now = device().map().placement(slab);
            if (now != null && (now.live() != copies || now.size() != copies || !now.told())) {
                return false;
            }
        }
        return true;
    }

    private void open(int copies, int spillSlabs) throws IOException {
        List<DonorAddress> addresses = new ArrayList<>();
        for (int i = 0; i < donors.size(); i++) {
            addresses.add(new DonorAddress(
                    Transport.TCP, "127.0.0.1", donors.get(i).address().getPort(), copies == 1 ? "" : "zone" + i));
        }
        opened = RemoteDevice.open(
                new RemoteDeviceContext()
                        .size((long) SLABS * SLAB)
                        .donors(addresses)
                        .spill(spillSlabs == 0 ? null : new SpillSettings(file(), (long) spillSlabs * SLAB))
                        .copies(copies)
                        .cacheSize(64L * PAGE)
                        .cacheLimit(64L * PAGE)
                        .prefetch(PrefetchPolicy.NEXT_N, LeapSettings.PUBLISHED)
                        .requestTimeout(REQUEST)
                        .wait(Duration.ofSeconds(2))
                        .stateFile(folder.resolve("leap.state"))
                        .conclude(),
                group);
        loads.use(device(), group);
    }
}
