package io.leapnbd.bypass;

import static org.assertj.core.api.Assertions.assertThat;

import io.leapnbd.bypass.link.DonorAddress;
import io.leapnbd.bypass.link.DonorAddress.Transport;
import io.leapnbd.nbd.spi.NbdError;
import io.netty.channel.EventLoopGroup;
import io.netty.channel.MultiThreadIoEventLoopGroup;
import io.netty.channel.epoll.EpollIoHandler;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.time.Duration;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Real donors behind relays that change bytes: what is read is what was written, or an error. Also after a restart of the server. */
class SealFaultsTest {

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

    private void open(int copies) throws IOException {
        open(copies, true);
    }

    private void open(int copies, boolean seals) throws IOException {
        List<DonorAddress> addresses = List.of(address(0), address(1)).subList(0, copies);
        device = RemoteDevice.open(
                new RemoteDeviceContext()
                        .size((long) SLABS * SLAB)
                        .donors(addresses)
                        .copies(copies)
                        .seals(seals)
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

    @Test
    void bytesThatAreChangedOnTheirWayFromOneOfTwoDonorsAreReadFromTheOther() throws IOException {
        open(2);
        for (int bad = 0; bad < 2; bad++) {
            assertThat(driver.write(0, page(0x77))).isZero();
            proxies[bad].change((byte) 0x77, false, true);
            int donor = bad;
            Await.until(() -> {
                assertThat(driver.read(0, PAGE)).isEqualTo(page(0x77));
                return device.sealFigures().unfit(donor) > 0;
            });
            proxies[bad].change((byte) 0, false, false);
        }
    }

    @Test
    void bytesThatAreChangedOnTheirWayFromTheOnlyDonorAreAnError() throws IOException {
        open(1);
        assertThat(driver.write(0, page(0x77))).isZero();
        proxies[0].change((byte) 0x77, false, true);
        assertThat(driver.readError(0, PAGE)).isEqualTo(EIO);
        assertThat(device.sealFigures().unfit(0)).isPositive();
        proxies[0].change((byte) 0, false, false);
        assertThat(driver.read(0, PAGE)).isEqualTo(page(0x77));
    }

    @Test
    void bytesThatWereChangedOnTheirWayToADonorAreFoundByALaterServerToo() throws IOException {
        open(2);
        assertThat(driver.write(PAGE, page(0x66))).isZero();
        proxies[0].change((byte) 0x77, true, false);
        assertThat(driver.write(0, page(0x77))).isZero();
        proxies[0].change((byte) 0, false, false);
        device.close();
        open(2);
        assertThat(device.map().pagesUnsealed()).isZero();
        Await.until(() -> {
            assertThat(driver.read(0, PAGE)).isEqualTo(page(0x77));
            return device.sealFigures().mended(0) > 0;
        });
        assertThat(device.sealFigures().unfit(1)).isZero();
    }

    @Test
    void withOneDonorALaterServerAnswersAnErrorAndRightPagesAreRight() throws IOException {
        open(1);
        proxies[0].change((byte) 0x77, true, false);
        assertThat(driver.write(0, page(0x77))).isZero();
        assertThat(driver.write(PAGE, page(0x66))).isZero();
        assertThat(driver.write(3L * PAGE, page(0x55))).isZero();
        assertThat(driver.trim(3L * PAGE, PAGE)).isZero();
        proxies[0].change((byte) 0, false, false);
        device.close();
        open(1);
        assertThat(driver.readError(0, PAGE)).isEqualTo(EIO);
        assertThat(driver.read(PAGE, 3 * PAGE)).startsWith(page(0x66)).endsWith(new byte[2 * PAGE]);
    }

    /** A server without the file knows no seals: nothing becomes an error by that, and it says how many pages have none. */
    @Test
    void withoutTheStateFilePagesAreUnsealedUntilTheyAreWritten() throws IOException {
        open(1);
        for (int i = 0; i < 5; i++) {
            assertThat(driver.write((long) i * PAGE, page(i + 1))).isZero();
        }
        device.close();
        Files.delete(folder.resolve("leap.state"));
        open(1);
        assertThat(device.map().pagesUnsealed()).isEqualTo(5);
        assertThat(driver.read(2L * PAGE, PAGE)).isEqualTo(page(3));
        assertThat(driver.write(2L * PAGE, page(9))).isZero();
        assertThat(driver.write(3L * PAGE + 10, (byte) 9)).isZero();
        assertThat(device.map().pagesUnsealed()).isEqualTo(3);
        proxies[0].change((byte) 9, false, true);
        assertThat(driver.readError(2L * PAGE, PAGE)).isEqualTo(EIO);
    }

    /** The file comes from before another server's writes: its seals would call right pages wrong. */
    @Test
    void theSealsOfAFileThatIsNotTheTruthAreNotLookedAt() throws IOException {
        open(1);
        assertThat(driver.write(0, page(1))).isZero();
        device.close();
        Path old = folder.resolve("old.state");
        Files.copy(folder.resolve("leap.state"), old);
        open(1);
        assertThat(driver.write(0, page(2))).isZero();
        device.close();
        Files.move(old, folder.resolve("leap.state"), StandardCopyOption.REPLACE_EXISTING);
        open(1);
        assertThat(driver.read(0, PAGE)).isEqualTo(page(2));
        assertThat(device.map().pagesUnsealed()).isEqualTo(1);
    }

    /** A file with a row that is broken is joined with what donors say, as one of another boot is. */
    @Test
    void theSealsOfAFileThatIsJoinedWithWhatDonorsSayAreForgotten() throws IOException {
        open(1);
        assertThat(driver.write(0, page(1))).isZero();
        assertThat(driver.write(PAGE, page(2))).isZero();
        device.close();
        Path path = folder.resolve("leap.state");
        try (FileChannel file = FileChannel.open(path, StandardOpenOption.READ, StandardOpenOption.WRITE)) {
            long firstRow = 4096 + 512 * 160;
            file.write(ByteBuffer.wrap(new byte[] {1, 2, 3, 4}), firstRow + 3 * 320);
            long seals = file.size() - (long) SLABS * SLAB / PAGE * 8;
            file.write(ByteBuffer.wrap(new byte[] {1, 2, 3, 4, 1, 2, 3, 4}), seals);
        }
        open(1);
        assertThat(driver.read(0, 2 * PAGE)).startsWith(page(1)).endsWith(page(2));
        assertThat(device.map().pagesUnsealed()).isEqualTo(2);
    }

    @Test
    void aServerThatKeepsNoSealsLeavesNoneBehindThatItsWritesMadeWrong() throws IOException {
        open(1);
        assertThat(driver.write(0, page(1))).isZero();
        assertThat(driver.write(PAGE, page(2))).isZero();
        device.close();
        open(1, false);
        assertThat(driver.write(0, page(3))).isZero();
        assertThat(driver.write(2L * SLAB, page(4))).isZero();
        assertThat(device.map().pagesUnsealed()).isEqualTo(3);
        device.close();
        open(1);
        assertThat(driver.read(0, 2 * PAGE)).startsWith(page(3)).endsWith(page(2));
        assertThat(driver.read(2L * SLAB, PAGE)).isEqualTo(page(4));
        assertThat(device.map().pagesUnsealed()).isEqualTo(3);
    }

    /** A server ends while one of two donors has a write: what is read first stays, and both copies have it. */
    @Test
    void aWriteThatWasCutShortIsDecidedOnceForBothCopies() throws IOException {
        for (int slow = 0; slow < 2; slow++) {
            open(2);
            assertThat(driver.write(0, page(1))).isZero();
            List<FaultProxy.Relay> held = proxies[slow].holdOpenConnections();
            CompletableFuture<Integer> write = driver.startWrite(0, page(2));
            int fast = 1 - slow;
            long before = donors[fast].store.statistics().bytesWritten();
            Await.until(() -> write.isDone() || donors[fast].store.statistics().bytesWritten() > before);
            device.close();
            held.forEach(FaultProxy.Relay::close);
            open(2);
            byte[] chosen = driver.read(0, PAGE);
            assertThat(chosen[0]).isIn((byte) 1, (byte) 2);
            assertThat(chosen).isEqualTo(page(chosen[0]));
            for (FaultProxy proxy : proxies) {
                List<FaultProxy.Relay> silent = proxy.holdOpenConnections();
                assertThat(driver.read(0, PAGE)).isEqualTo(chosen);
                silent.forEach(FaultProxy.Relay::release);
            }
            device.close();
            open(2);
            assertThat(driver.read(0, PAGE)).isEqualTo(chosen);
            assertThat(device.sealFigures().unfit(0) + device.sealFigures().unfit(1))
                    .isZero();
            device.close();
        }
        open(2);
    }
}
