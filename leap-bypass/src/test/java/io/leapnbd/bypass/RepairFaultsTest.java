package io.leapnbd.bypass;

import static org.assertj.core.api.Assertions.assertThat;

import io.leapnbd.bypass.link.DonorAddress;
import io.leapnbd.bypass.link.DonorAddress.Transport;
import io.leapnbd.bypass.map.Placement;
import io.leapnbd.nbd.spi.NbdError;
import io.netty.channel.EventLoopGroup;
import io.netty.channel.MultiThreadIoEventLoopGroup;
import io.netty.channel.epoll.EpollIoHandler;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Two real donors behind relays. One begins anew, and its slabs are filled again from the other. */
class RepairFaultsTest {

    private static final int SLAB = DonorProcess.SLAB;
    private static final int SLABS = 4;
    private static final int PAGE = 4096;
    private static final int EIO = NbdError.EIO.code();

    private final EventLoopGroup group = new MultiThreadIoEventLoopGroup(1, EpollIoHandler.newFactory());
    private final DonorProcess[] donors = new DonorProcess[2];
    private final FaultProxy[] proxies = new FaultProxy[2];

    @SuppressWarnings("NullAway.Init") // Opened by each test.
    private RemoteDevice device;

    @SuppressWarnings("NullAway.Init") // Opened by each test.
    private DeviceDriver driver;

    @TempDir
    private Path folder;

    @BeforeEach
    void start() throws IOException {
        for (int i = 0; i < 2; i++) {
            donors[i] = new DonorProcess(SLABS);
            proxies[i] = new FaultProxy(donors[i].address());
        }
        open();
    }

    @AfterEach
    void stop() throws Exception {
        device.close();
        for (int i = 0; i < 2; i++) {
            proxies[i].close();
            donors[i].close();
        }
        group.shutdownGracefully(0, 1, TimeUnit.SECONDS).syncUninterruptibly();
    }

    private void open() throws IOException {
        device = RemoteDevice.open(
                new RemoteDeviceContext()
                        .size((long) SLABS * SLAB)
                        .donors(List.of(address(0), address(1)))
                        .copies(2)
                        .requestTimeout(Duration.ofSeconds(8))
                        .stateFile(folder.resolve("leap.state"))
                        .conclude(),
                group);
        driver = new DeviceDriver(device, group.next());
    }

    private DonorAddress address(int donor) {
        return new DonorAddress(Transport.TCP, "127.0.0.1", proxies[donor].port(), "zone" + donor);
    }

    private static byte[] page(int value) {
        byte[] bytes = new byte[PAGE];
        Arrays.fill(bytes, (byte) value);
        return bytes;
    }

    /** Another process is at a donor's address, and has nothing. */
    private void restart(int donor) throws IOException {
        DonorProcess before = donors[donor];
        donors[donor] = new DonorProcess(SLABS);
        proxies[donor].redirect(donors[donor].address());
        before.close();
        proxies[donor].cut();
    }

    private boolean allHaveTwoCopies() {
        for (int slab = 0; slab < SLABS; slab++) {
            Placement now = device.map().placement(slab);
            if (now != null && (now.live() != 2 || !now.told())) {
                return false;
            }
        }
        return true;
    }

    private boolean isFilledSince(long before) {
        return device.copiesFilled() > before && allHaveTwoCopies();
    }

    /** The fill began again and again for ever: no copy had the page as it was written. */
    @Test
    void aPageThatIsRightAtNoCopyEndsItsFillAndIsAnErrorAtEachCopyAlsoWithoutTheStateFile() throws IOException {
        proxies[0].change((byte) 0x77, true, false);
        proxies[1].change((byte) 0x77, true, false);
        assertThat(driver.write(0, page(0x77))).isZero();
        proxies[0].change((byte) 0, false, false);
        proxies[1].change((byte) 0, false, false);
        assertThat(driver.write(PAGE, page(0x66))).isZero();

        for (int round = 0; round < 2; round++) {
            long before = device.copiesFilled();
            restart(round);
            Awaiting.that("the slab has two copies again", () -> isFilledSince(before));
            assertThat(driver.readError(0, PAGE)).isEqualTo(EIO);
            assertThat(driver.read(PAGE, PAGE)).isEqualTo(page(0x66));
            assertThat(device.map().isLost(0)).isTrue();

            device.close();
            Files.delete(folder.resolve("leap.state"));
            open();
            // What donors say is all there is now; nobody has seals any more.
            assertThat(driver.readError(0, PAGE)).isEqualTo(EIO);
            assertThat(driver.read(PAGE, PAGE)).isEqualTo(page(0x66));
        }
        assertThat(driver.write(0, page(0x55))).isZero();
        assertThat(driver.read(0, PAGE)).isEqualTo(page(0x55));
    }

    @Test
    void aDonorThatBeginsAnewIsGivenItsCopiesAgain() throws IOException {
        for (int slab = 0; slab < SLABS; slab++) {
            assertThat(driver.write((long) slab * SLAB, page(1 + slab))).isZero();
        }
        for (int round = 0; round < 4; round++) {
            long before = device.copiesFilled();
            restart(round % 2);
            Awaiting.that(
                    "all have two copies again", () -> device.copiesFilled() >= before + SLABS && allHaveTwoCopies());
            for (int slab = 0; slab < SLABS; slab++) {
                assertThat(driver.read((long) slab * SLAB, PAGE)).isEqualTo(page(1 + slab));
            }
        }
    }
}
