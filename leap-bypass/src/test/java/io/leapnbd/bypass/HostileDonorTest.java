package io.leapnbd.bypass;

import static org.assertj.core.api.Assertions.assertThat;

import io.leapnbd.bypass.LyingDonor.Lie;
import io.leapnbd.bypass.cipher.Encryption;
import io.leapnbd.bypass.link.DonorAddress;
import io.leapnbd.bypass.link.DonorAddress.Transport;
import io.leapnbd.nbd.spi.NbdError;
import io.netty.channel.EventLoopGroup;
import io.netty.channel.MultiThreadIoEventLoopGroup;
import io.netty.channel.epoll.EpollIoHandler;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;

/**
 * A donor that lies about what it holds (kin of F14). Whatever it says, a client gets what was written, or an I/O error. With a second donor
 * that does not lie it gets what was written. When the lies end, the device is as before.
 *
 * <p>What must happen to the link is in the table of {@link #withOneCopyALieIsAnErrorOrUndone}: {@code same}, it goes on; {@code ended}, it
 * is closed at once, since nothing that follows can be understood; {@code late}, it is closed when the answer is overdue.
 */
class HostileDonorTest {

    private static final int SLAB = DonorProcess.SLAB;
    private static final int PAGE = 4096;
    private static final int PAGES = 8;
    private static final int EIO = NbdError.EIO.code();

    /** Of random lies; a night's run gives others. */
    private static final long SEED = Long.getLong("leap.seed", 1);

    private static final int STEPS = Integer.getInteger("leap.steps", 300);

    private final EventLoopGroup group = new MultiThreadIoEventLoopGroup(1, EpollIoHandler.newFactory());
    private final DonorProcess[] donors = new DonorProcess[2];
    private final LyingDonor[] liars = new LyingDonor[2];
    private final byte[][] written = new byte[PAGES][];

    @SuppressWarnings("NullAway.Init") // Opened by each test.
    private RemoteDevice device;

    @SuppressWarnings("NullAway.Init") // Opened by each test.
    private DeviceDriver driver;

    @TempDir
    private Path folder;

    /** How pages are encrypted; a subclass says otherwise. */
    Encryption encryption() {
        return Encryption.OFF;
    }

    private void open(int copies) throws IOException {
        for (int i = 0; i < copies; i++) {
            donors[i] = new DonorProcess(2);
            liars[i] = new LyingDonor(donors[i].address());
        }
        device = RemoteDevice.open(
                new RemoteDeviceContext()
                        .size(SLAB)
                        .donors(List.of(address(0), address(copies - 1)).subList(0, copies))
                        .copies(copies)
                        .encryption(encryption())
                        .requestTimeout(Duration.ofMillis(copies == 1 ? 1_500 : 8_000))
                        .memberTimeout(Duration.ofMillis(copies == 1 ? 375 : 1_000))
                        .stateFile(folder.resolve("leap.state"))
                        .conclude(),
                group);
        driver = new DeviceDriver(device, group.next());
        // What a replay brings back.
        for (int page = 0; page < PAGES; page++) {
            write(page, 100 + page);
            write(page, page);
        }
    }

    private DonorAddress address(int donor) {
        return new DonorAddress(Transport.TCP, "127.0.0.1", liars[donor].port(), "zone" + donor);
    }

    private void write(int page, long seed) {
        byte[] bytes = new byte[PAGE];
        new Random(seed).nextBytes(bytes);
        // On a busy machine one may take too long.
        Await.until(() -> driver.write((long) page * PAGE, bytes) == 0);
        written[page] = bytes;
    }

    @AfterEach
    void stop() throws Exception {
        if (device != null) {
            device.close();
        }
        for (int i = 0; i < 2 && donors[i] != null; i++) {
            liars[i].close();
            donors[i].close();
        }
        group.shutdownGracefully(0, 1, TimeUnit.SECONDS).syncUninterruptibly();
    }

    /** Reads some pages, one or two at once; whether one was an error. What is none is what was written. */
    private boolean readSome(int from, int count) {
        return check(driver.startRead((long) from * PAGE, count * PAGE), from, count);
    }

    private boolean check(DeviceDriver.Read read, int from, int count) {
        int error = DeviceDriver.join(read.error());
        if (error == 0) {
            for (int i = 0; i < count; i++) {
                assertThat(Arrays.equals(Arrays.copyOfRange(read.bytes(), i * PAGE, (i + 1) * PAGE), written[from + i]))
                        .as("page %s is what was written", from + i)
                        .isTrue();
            }
            return false;
        }
        assertThat(error).isEqualTo(EIO);
        return true;
    }

    private long links() {
        return device.donors().get(0).reconnects();
    }

    private void awaitTruth() {
        Await.until(() -> {
            for (int page = 0; page < PAGES; page++) {
                if (readSome(page, 1)) {
                    return false;
                }
            }
            return true;
        });
    }

    /** A copy that was given up is filled again before the other donor lies: so is one whose link was away for longer than a write waits. */
    private void awaitBoth() {
        Await.until(() ->
                device.map().placement(0) != null && device.map().placement(0).live() == 2);
    }

    @ParameterizedTest
    @CsvSource({
        "FLIPPED_BIT, same",
        "ZEROS, same",
        "OLD_VERSION, same",
        "OTHER_PAGE, same",
        "SWAPPED, same",
        "SHORT, ended",
        "LONG, ended",
        "HUGE, ended",
        "NEGATIVE, ended",
        "TWICE, ended",
        "NEVER, late",
        "OTHER_COOKIE, ended",
        "OTHER_OPERATION, ended",
        "NO_STATUS, same",
        "IMPOSSIBLE_ROOM, same",
        "NOISE, ended"
    })
    void withOneCopyALieIsAnErrorOrUndone(Lie lie, String link) throws IOException {
        open(1);
        long before = links();
        liars[0].tell(lie);
        DeviceDriver.Read one = driver.startRead(0, PAGE);
        DeviceDriver.Read two = driver.startRead(4L * PAGE, 2 * PAGE);
        int errors = (check(one, 0, 1) ? 1 : 0) + (check(two, 4, 2) ? 1 : 0);
        assertThat(liars[0].lies()).isPositive();
        boolean harmless = lie == Lie.IMPOSSIBLE_ROOM || lie == Lie.TWICE;
        assertThat(errors > 0 || harmless).as("a lie was not believed").isTrue();
        liars[0].tell(Lie.NONE);
        awaitTruth();
        assertThat(links() > before).as("the link was ended").isEqualTo(!link.equals("same"));
        write(3, 999);
        assertThat(readSome(3, 1)).isFalse();
    }

    @Test
    void withOneCopyADonorThatDeniesASlabLosesItsPagesAndNoOtherBytesComeInTheirPlace() throws IOException {
        open(1);
        liars[0].tell(Lie.NOT_OWNER);
        assertThat(readSome(0, 1)).isTrue();
        liars[0].tell(Lie.NONE);
        // The server has given the slab up: what it held is lost until it is written again.
        for (int page = 0; page < PAGES; page++) {
            assertThat(readSome(page, 1)).isTrue();
            write(page, 50 + page);
            assertThat(readSome(page, 1)).isFalse();
        }
    }

    @ParameterizedTest
    @EnumSource(
            value = Lie.class,
            mode = EnumSource.Mode.EXCLUDE,
            names = {"NONE"})
    void withAnotherCopyALieCostsNothing(Lie lie) throws IOException {
        open(2);
        for (int liar = 0; liar < 2; liar++) {
            liars[liar].tell(lie);
            for (int page = 0; page + 1 < PAGES; page += 3) {
                assertThat(readSome(page, 1)).as("%s of donor %s", lie, liar).isFalse();
                assertThat(readSome(page, 2)).as("%s of donor %s", lie, liar).isFalse();
            }
            liars[liar].tell(Lie.NONE);
            awaitTruth();
            if (lie == Lie.NOT_OWNER || lie == Lie.NEVER) {
                awaitBoth();
            }
        }
    }

    /** Lies by a seed: {@code -Dleap.seed=… -Dleap.steps=100000} for a night. */
    @Test
    void ofTwoDonorsOneMayLieAtATimeInAnyWay() throws IOException {
        open(2);
        Random random = new Random(SEED);
        Lie[] all = Arrays.stream(Lie.values())
                .filter(lie -> lie != Lie.NEVER && lie != Lie.NOT_OWNER)
                .toArray(Lie[]::new);
        int liar = 0;
        for (int step = 0; step < STEPS; step++) {
            int page = random.nextInt(PAGES - 1);
            switch (random.nextInt(10)) {
                case 0 -> {
                    liars[liar].tell(Lie.NONE);
                    awaitTruth();
                    awaitBoth();
                    liar = random.nextInt(2);
                    liars[liar].tell(all[random.nextInt(all.length)]);
                }
                case 1, 2, 3 -> write(page, random.nextLong());
                default ->
                    assertThat(readSome(page, 1 + random.nextInt(2)))
                            .as("seed %s, step %s", SEED, step)
                            .isFalse();
            }
        }
    }
}
