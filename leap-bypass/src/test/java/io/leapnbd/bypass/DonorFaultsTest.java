package io.leapnbd.bypass;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.leapnbd.bypass.link.Donor;
import io.leapnbd.bypass.link.DonorAddress;
import io.leapnbd.donor.loop.LoopSettings;
import io.leapnbd.donor.net.DonorServer;
import io.leapnbd.donor.net.ServerSettings;
import io.leapnbd.donor.protocol.Hello;
import io.leapnbd.donor.protocol.HelloReply;
import io.leapnbd.donor.protocol.Status;
import io.leapnbd.nbd.spi.NbdError;
import io.netty.channel.EventLoopGroup;
import io.netty.channel.MultiThreadIoEventLoopGroup;
import io.netty.channel.epoll.EpollIoHandler;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Objects;
import java.util.Random;
import java.util.UUID;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** A device over two real donors, each behind a relay that can hold bytes back and cut connections. */
class DonorFaultsTest {

    private static final int SLAB = DonorProcess.SLAB;
    private static final int SLABS = 8;
    private static final int PAGE = 4096;
    private static final int ROUNDS = 12;

    private final List<AutoCloseable> opened = new ArrayList<>();
    private EventLoopGroup group;
    private DonorProcess[] donors;
    private FaultProxy[] proxies;
    private Duration timeout;

    @SuppressWarnings("NullAway.Init") // Opened by each test.
    private RemoteDevice device;

    @SuppressWarnings("NullAway.Init") // Opened by each test.
    private DeviceDriver driver;

    @TempDir
    private Path folder;

    @BeforeEach
    void start() throws IOException {
        timeout = Duration.ofSeconds(20);
        group = new MultiThreadIoEventLoopGroup(2, EpollIoHandler.newFactory());
        donors = new DonorProcess[] {donor(SLABS), donor(SLABS)};
        proxies = new FaultProxy[] {proxy(donors[0]), proxy(donors[1])};
    }

    @AfterEach
    void stop() throws Exception {
        if (device != null) {
            device.close();
        }
        for (AutoCloseable one : opened.reversed()) {
            one.close();
        }
        group.shutdownGracefully(0, 1, TimeUnit.SECONDS).syncUninterruptibly();
    }

    @Test
    void slabsAreSpreadAndEveryLoopReadsThem() throws IOException {
        open();
        byte[] bytes = random(SLABS * SLAB, 1);
        assertThat(driver.write(0, bytes)).isZero();

        assertThat(donors[0].store.freeSlabs()).isEqualTo(SLABS / 2);
        assertThat(donors[1].store.freeSlabs()).isEqualTo(SLABS / 2);
        assertThat(driver.read(0, bytes.length)).isEqualTo(bytes);
        assertThat(new DeviceDriver(device, group.next()).read(SLAB / 2, 3 * SLAB))
                .isEqualTo(Arrays.copyOfRange(bytes, SLAB / 2, SLAB / 2 + 3 * SLAB));
    }

    @Test
    void aRestartedServerFindsItsPagesByItsStateFile() throws IOException {
        open();
        byte[] bytes = random(3 * SLAB, 2);
        driver.write(SLAB, bytes);
        driver.trim(SLAB, PAGE);
        long term = device.term();
        restartServer();

        assertThat(device.term()).isGreaterThan(term);
        assertThat(driver.read(SLAB, PAGE)).containsOnly(0);
        assertThat(driver.read(SLAB + PAGE, bytes.length - PAGE))
                .isEqualTo(Arrays.copyOfRange(bytes, PAGE, bytes.length));
        assertThat(driver.read(0, SLAB)).containsOnly(0);
    }

    /** The start looked for it already. After a crash programs stand still until the server is ready. */
    @Test
    @Timeout(40)
    void aServerIsReadyWithoutLinksToADonorThatHasNotAnsweredItsClaim() throws IOException {
        open();
        byte[] bytes = random(SLABS * SLAB, 5);
        driver.write(0, bytes);
        device.close();
        proxies[1].close();
        device = RemoteDevice.open(
                context().connectTimeout(Duration.ofMinutes(1)).conclude(), group);
        assertThat(device.donors().stream().map(Donor::linksUp)).containsExactly(2, 0);
    }

    @Test
    void aServerOnAnotherHostFindsThePagesByTheDonorsLists() throws IOException {
        open();
        var content = device.content();
        byte[] bytes = random(3 * SLAB, 3);
        driver.write(SLAB, bytes);
        device.close();
        deleteState();
        open();

        assertThat(device.content()).isEqualTo(content);
        assertThat(driver.read(SLAB, bytes.length)).isEqualTo(bytes);
        assertThat(driver.read(0, SLAB)).containsOnly(0);
    }

    @Test
    void withNeitherStateFileNorOneOfTheDonorsWhatMayBeLostIsAnError() throws IOException {
        open();
        byte[] bytes = random(SLABS * SLAB, 4);
        driver.write(0, bytes);
        device.close();
        deleteState();
        replaceDonor(0);
        open();

        int errors = 0;
        for (int slab = 0; slab < SLABS; slab++) {
            if (driver.readError((long) slab * SLAB, PAGE) == 0) {
                assertThat(driver.read((long) slab * SLAB, SLAB))
                        .isEqualTo(Arrays.copyOfRange(bytes, slab * SLAB, (slab + 1) * SLAB));
            } else {
                errors++;
            }
        }
        assertThat(errors).isBetween(1, SLABS - 1);
    }

    @Test
    void aDonorThatRestartsLosesItsPagesAndNoOthers() throws IOException {
        open();
        byte[] bytes = random(SLABS * SLAB, 5);
        driver.write(0, bytes);
        replaceDonor(0);
        awaitLinks(2);

        List<Integer> lost = new ArrayList<>();
        for (int slab = 0; slab < SLABS; slab++) {
            int error = driver.readError((long) slab * SLAB, SLAB);
            if (error == 0) {
                assertThat(driver.read((long) slab * SLAB, SLAB))
                        .isEqualTo(Arrays.copyOfRange(bytes, slab * SLAB, (slab + 1) * SLAB));
            } else {
                assertThat(error).isEqualTo(NbdError.EIO.code());
                lost.add(slab);
            }
        }
        assertThat(lost).isNotEmpty().hasSizeLessThan(SLABS);
        assertThat(device.map().pagesLost()).isEqualTo((long) lost.size() * SLAB / PAGE);

        long healed = (long) lost.getFirst() * SLAB;
        byte[] page = random(PAGE, 6);
        assertThat(driver.write(healed, page)).isZero();
        assertThat(driver.read(healed, PAGE)).isEqualTo(page);
        assertThat(driver.readError(healed + PAGE, PAGE)).isEqualTo(NbdError.EIO.code());
        assertThat(driver.trim(healed + PAGE, PAGE)).isZero();
        assertThat(driver.read(healed + PAGE, PAGE)).containsOnly(0);
    }

    /** A5: the donors that are left know of a loss, for a server that has no state file. */
    @Test
    void aLossIsInTheNoteOfTheDonorsThatAreLeft() throws IOException {
        open();
        driver.write(0, random(SLABS * SLAB, 42));
        ByteBuffer before = noteAt(donors[1]);
        replaceDonor(0);
        Await.until(() -> device.map().pagesLost() > 0);

        Await.until(() -> !noteAt(donors[1]).equals(before));
    }

    private static ByteBuffer noteAt(DonorProcess donor) {
        return Objects.requireNonNull(
                        donor.store.hello(Hello.observe("leap", 0)).reply())
                .note();
    }

    /**
     * A2: a donor's machine restarts without a FIN. One loop has met the new process, and has written there; the other still has its
     * dead connection. A read on that one marked the new placement as lost: an acknowledged page became an error.
     */
    @Test
    void aLoopWithADeadConnectionToTheOldProcessDoesNotLoseWhatAnotherHasWrittenToTheNewOne() throws IOException {
        replaceDonor(1);
        proxies[1].close();
        DonorProcess old = donors[0];
        device = RemoteDevice.open(
                new RemoteDeviceContext()
                        .size((long) SLABS * SLAB)
                        .donors(List.of(new DonorAddress("127.0.0.1", proxies[0].port())))
                        .requestTimeout(Duration.ofSeconds(40))
                        .conclude(),
                group);
        DeviceDriver[] drivers = {
            new DeviceDriver(device, group.next()), new DeviceDriver(device, group.next()),
        };
        assertThat(drivers[0].write(0, random(PAGE, 40))).isZero();
        // Whose connection is it?
        FaultProxy.Relay dead = proxies[0].openConnections().getLast();
        dead.hold();
        List<DeviceDriver.Read> reads =
                Stream.of(drivers).map(one -> one.startRead(0, PAGE)).toList();
        Await.until(() -> reads.stream().filter(read -> read.error().isDone()).count() == 1);
        int behind = reads.get(0).error().isDone() ? 1 : 0;
        dead.release();
        assertThat(DeviceDriver.join(reads.get(behind).error())).isZero();

        dead.hold();
        donors[0] = donor(SLABS);
        proxies[0].redirect(donors[0].address());
        for (FaultProxy.Relay relay : proxies[0].openConnections()) {
            if (relay != dead) {
                relay.close();
            }
        }
        Await.until(() -> device.map().pagesLost() > 0);
        byte[] newer = random(PAGE, 41);
        assertThat(drivers[1 - behind].write(0, newer)).isZero();

        assertThat(drivers[behind].read(0, PAGE)).isEqualTo(newer);
        assertThat(drivers[1 - behind].read(0, PAGE)).isEqualTo(newer);
        assertThat(old.store.freeSlabs()).isLessThan(SLABS);
    }

    @Test
    void aDonorThatRestartsWhileTheServerIsAwayLosesItsPagesToo() throws IOException {
        open();
        driver.write(0, random(SLABS * SLAB, 7));
        int held = SLABS - donors[0].store.freeSlabs();
        device.close();
        replaceDonor(0);
        open();

        int errors = 0;
        for (int slab = 0; slab < SLABS; slab++) {
            errors += driver.readError((long) slab * SLAB, PAGE) == NbdError.EIO.code() ? 1 : 0;
        }
        assertThat(errors).isEqualTo(held);
    }

    @Test
    void requestsSurviveACutConnection() throws IOException {
        open();
        byte[] bytes = random(SLABS * SLAB, 8);
        driver.write(0, bytes);
        List<DeviceDriver.Read> reads = new ArrayList<>();
        holdBoth();
        for (int slab = 0; slab < SLABS; slab++) {
            reads.add(driver.startRead((long) slab * SLAB, SLAB));
        }
        CompletableFuture<Integer> write = driver.startWrite(PAGE, random(PAGE, 9));
        proxies[0].cut();
        proxies[1].cut();

        for (int slab = 0; slab < SLABS; slab++) {
            assertThat(DeviceDriver.join(reads.get(slab).error())).isZero();
        }
        assertThat(DeviceDriver.join(write)).isZero();
        assertThat(reads.getLast().bytes()).isEqualTo(Arrays.copyOfRange(bytes, (SLABS - 1) * SLAB, SLABS * SLAB));
        assertThat(driver.read(PAGE, PAGE)).isEqualTo(random(PAGE, 9));
    }

    @Test
    void aDonorThatDoesNotAnswerEndsRequestsWithAnErrorAtTheirDeadline() throws IOException {
        timeout = Duration.ofSeconds(2);
        open();
        byte[] bytes = random(PAGE, 10);
        driver.write(0, bytes);
        List<FaultProxy.Relay> held = holdBoth();

        assertThat(driver.readError(0, PAGE)).isEqualTo(NbdError.EIO.code());

        held.forEach(FaultProxy.Relay::release);
        awaitLinks(2);
        assertThat(driver.read(0, PAGE)).isEqualTo(bytes);
        // More than one, if a note or a link's own ping was on its way to the other one.
        assertThat(device.donors().stream().mapToLong(donor -> donor.timeouts()).sum())
                .isPositive();
    }

    @Test
    void aWriteThatArrivesLateDoesNotUndoANewerOne() throws IOException {
        timeout = Duration.ofSeconds(2);
        open();
        driver.write(0, random(PAGE, 11));
        List<FaultProxy.Relay> held = holdBoth();
        assertThat(driver.write(0, random(PAGE, 12))).isEqualTo(NbdError.EIO.code());

        // The link is a new one now; the old write still sits in the old connection.
        awaitLinks(2);
        byte[] newest = random(PAGE, 13);
        assertThat(driver.write(0, newest)).isZero();
        long stale = stalePages();
        held.forEach(FaultProxy.Relay::release);
        Await.until(() -> stalePages() > stale);

        assertThat(driver.read(0, PAGE)).isEqualTo(newest);
    }

    @Test
    void aTrimThatNeverArrivesLeavesThePageAsItWasToEveryReader() throws IOException {
        timeout = Duration.ofSeconds(2);
        open();
        byte[] bytes = random(4 * PAGE, 30);
        driver.write(0, bytes);
        holdBoth();
        assertThat(driver.trim(PAGE, PAGE)).isEqualTo(NbdError.EIO.code());
        awaitLinks(2);

        assertThat(driver.read(PAGE, PAGE)).isEqualTo(Arrays.copyOfRange(bytes, PAGE, 2 * PAGE));
        assertThat(driver.read(0, 4 * PAGE)).isEqualTo(bytes);

        assertThat(driver.trim(PAGE, PAGE)).isZero();
        Arrays.fill(bytes, PAGE, 2 * PAGE, (byte) 0);
        assertThat(driver.read(0, 4 * PAGE)).isEqualTo(bytes);
        device.close();
        deleteState();
        open();
        assertThat(driver.read(0, 4 * PAGE)).isEqualTo(bytes);
    }

    @Test
    void trimsAndWritesOfOnePageThatMeetLeaveItOneWay() throws IOException {
        open();
        DeviceDriver other = new DeviceDriver(device, group.next());
        Random random = new Random(31);
        for (int round = 0; round < 300; round++) {
            int page = random.nextInt(8);
            CompletableFuture<Integer> write = driver.startWrite((long) page * PAGE, random(PAGE, round));
            CompletableFuture<Integer> trim = other.startTrim((long) page * PAGE, PAGE);
            assertThat(DeviceDriver.join(write)).isZero();
            assertThat(DeviceDriver.join(trim)).isZero();
            byte[] together = driver.read(0, 8 * PAGE);
            for (int one = 0; one < 8; one++) {
                assertThat(driver.read((long) one * PAGE, PAGE))
                        .isEqualTo(Arrays.copyOfRange(together, one * PAGE, (one + 1) * PAGE));
            }
        }
        byte[] before = driver.read(0, 8 * PAGE);
        device.close();
        deleteState();
        open();
        assertThat(driver.read(0, 8 * PAGE)).isEqualTo(before);
    }

    @Test
    void twoPartsOfAPageThatAreWrittenOverTwoLinksAreBothThere() throws IOException {
        // Links are made anew in each round, which on a busy machine may take longer than a request usually has.
        timeout = Duration.ofMinutes(30);
        open();
        byte[] page = random(PAGE, 20);
        assertThat(driver.write(0, page)).isZero();
        DeviceDriver other = new DeviceDriver(device, group.next());
        byte[] left = random(100, 21);
        byte[] right = random(100, 22);
        System.arraycopy(left, 0, page, 0, 100);
        System.arraycopy(right, 0, page, 200, 100);
        for (int round = 0; round < ROUNDS; round++) {
            assertThat(driver.write(0, new byte[PAGE])).isZero();
            assertThat(driver.write(0, random(PAGE, 20))).isZero();
            // Both links break with a write on its way; which of them is back first, and sends again, is chance.
            holdBoth();
            CompletableFuture<Integer> older = driver.startWrite(0, left);
            CompletableFuture<Integer> newer = other.startWrite(200, right);
            proxies[0].cut();
            proxies[1].cut();

            assertThat(DeviceDriver.join(older)).isZero();
            assertThat(DeviceDriver.join(newer)).isZero();
            assertThat(driver.read(0, PAGE)).isEqualTo(page);
        }
    }

    @Test
    void aNewerServerFencesOffAnOlderOne() throws IOException {
        open();
        driver.write(0, random(PAGE, 14));
        RemoteDevice older = device;
        DeviceDriver olderDriver = driver;
        assertThat(older.fenced()).isNotDone();
        device = RemoteDevice.open(
                context()
                        .stateFile(folder.resolve("other.state"))
                        .takeOver(true)
                        .conclude(),
                group);
        driver = new DeviceDriver(device, group.next());
        byte[] bytes = random(PAGE, 15);
        assertThat(driver.write(0, bytes)).isZero();

        assertThat(olderDriver.write(0, random(PAGE, 16))).isEqualTo(NbdError.EIO.code());
        DeviceDriver.join(older.fenced());
        assertThat(driver.read(0, PAGE)).isEqualTo(bytes);
        older.close();
    }

    @Test
    void aDonorThatCannotBeReachedAtTheStartIsNamed() throws IOException {
        donors[1].close();
        assertThatThrownBy(this::open)
                .isInstanceOf(IOException.class)
                .hasMessageContaining("127.0.0.1:" + proxies[1].port())
                .hasMessageContaining("--donors");
    }

    /** B5: a donor that came back with other slabs is of no use, and nobody waits for it. The requests' time is beyond any limit here. */
    @Test
    void aDonorThatComesBackWithOtherSlabsIsDownForAllLoopsAndItsPagesCanBeWrittenElsewhere() throws IOException {
        timeout = Duration.ofMinutes(30);
        open();
        DeviceDriver other = new DeviceDriver(device, group.next());
        driver.write(0, random(SLABS / 2 * SLAB, 50));
        donors[0].close();
        DonorProcess strange = new DonorProcess(SLABS, 2 * SLAB);
        opened.add(strange);
        proxies[0].redirect(strange.address());
        Await.until(() -> device.map().pagesLost() > 0);

        byte[] bytes = random(SLABS / 2 * SLAB, 51);
        assertThat(driver.write(0, bytes)).isZero();
        assertThat(other.read(0, bytes.length)).isEqualTo(bytes);
        assertThat(device.donors().getFirst().up()).isFalse();
    }

    /** B5, A4: somebody else uses the name at a donor that has forgotten us; at all donors, this server is of no use. */
    @Test
    void aDonorWithOtherContentsIsDownAndAServerWithoutAnyOtherIsFenced() throws IOException {
        timeout = Duration.ofMinutes(30);
        open();
        DeviceDriver other = new DeviceDriver(device, group.next());
        driver.write(0, random(SLABS / 2 * SLAB, 52));
        replaceByForeign(0);
        Await.until(() -> device.map().pagesLost() > 0);
        byte[] bytes = random(SLABS / 2 * SLAB, 53);
        assertThat(driver.write(0, bytes)).isZero();
        assertThat(other.read(0, bytes.length)).isEqualTo(bytes);
        assertThat(device.fenced()).isNotDone();

        replaceByForeign(1);
        DeviceDriver.join(device.fenced());
        assertThat(driver.readError(0, PAGE)).isEqualTo(NbdError.EIO.code());
        assertThat(other.readError(0, PAGE)).isEqualTo(NbdError.EIO.code());
    }

    private void replaceByForeign(int index) throws IOException {
        DonorProcess foreign = donor(SLABS);
        UUID content = UUID.randomUUID();
        assertThat(foreign.store
                        .hello(Hello.claim(
                                "leap",
                                0,
                                false,
                                0,
                                HelloReply.NONE,
                                0,
                                content,
                                UUID.randomUUID(),
                                9,
                                UUID.randomUUID(),
                                "somebody else",
                                ByteBuffer.allocate(0)))
                        .status())
                .isEqualTo(Status.OK);
        donors[index].close();
        donors[index] = foreign;
        proxies[index].redirect(foreign.address());
    }

    /** B6: a donor that is full of links refuses one loop's; that loop's requests go over the other's. */
    @Test
    void aLoopWhoseLinkIsRefusedUsesAnotherLoopsLink() throws IOException {
        timeout = Duration.ofMinutes(30);
        open();
        DeviceDriver other = new DeviceDriver(device, group.next());
        byte[] bytes = random(SLABS * SLAB, 54);
        assertThat(driver.write(0, bytes)).isZero();
        donors[0].server.close();
        DonorServer small = DonorServer.start(
                donors[0].store,
                ServerSettings.listenOn(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0))
                        .withLoops(LoopSettings.of(1))
                        .withMaxLinks(1));
        opened.add(small);
        proxies[0].redirect(small.address());
        Await.until(() -> device.donors().getFirst().linksUp() == 1);

        for (int round = 0; round < 4; round++) {
            assertThat(driver.read(0, bytes.length)).isEqualTo(bytes);
            assertThat(other.read(0, bytes.length)).isEqualTo(bytes);
            System.arraycopy(random(SLAB, round), 0, bytes, round * SLAB, SLAB);
            assertThat((round % 2 == 0 ? driver : other)
                            .write((long) round * SLAB, Arrays.copyOfRange(bytes, round * SLAB, (round + 1) * SLAB)))
                    .isZero();
        }
        assertThat(device.donors().getFirst().linksUp()).isOne();
    }

    @Test
    void whatIsNoDonorIsNamed() throws IOException {
        try (ServerSocket web = new ServerSocket(0, 5, InetAddress.getLoopbackAddress())) {
            Thread.ofVirtual().start(() -> {
                try (var client = web.accept()) {
                    client.getOutputStream()
                            .write("HTTP/1.1 400 Bad Request\r\n\r\n".getBytes(StandardCharsets.US_ASCII));
                } catch (IOException e) {
                    throw new AssertionError(e);
                }
            });
            RemoteDeviceContext wrong = new RemoteDeviceContext()
                    .size(SLAB)
                    .donors(List.of(new DonorAddress("127.0.0.1", web.getLocalPort())))
                    .wait(Duration.ZERO)
                    .conclude();
            assertThatThrownBy(() -> RemoteDevice.open(wrong, group))
                    .isInstanceOf(IOException.class)
                    .hasMessageContaining("is it a leap-nbd donor?");
        }
    }

    @Test
    void donorsWithSlabsOfDifferentSizesAreRefused() throws IOException {
        DonorProcess other = new DonorProcess(4, 2 * SLAB);
        opened.add(other);
        proxies[1].redirect(other.address());
        assertThatThrownBy(this::open).isInstanceOf(IOException.class).hasMessageContaining("--slab-size");
    }

    @Test
    void freshGivesTheOldSlabsBack() throws IOException {
        open();
        driver.write(0, random(SLABS * SLAB, 17));
        device.close();
        device = RemoteDevice.open(context().fresh(true).conclude(), group);
        driver = new DeviceDriver(device, group.next());

        assertThat(driver.read(0, SLABS * SLAB)).containsOnly(0);
        Await.until(() -> donors[0].store.freeSlabs() + donors[1].store.freeSlabs() == 2 * SLABS);
    }

    private void open() throws IOException {
        device = RemoteDevice.open(context().conclude(), group);
        driver = new DeviceDriver(device, group.next());
    }

    private void restartServer() throws IOException {
        device.close();
        open();
    }

    private RemoteDeviceContext context() {
        return new RemoteDeviceContext()
                .size((long) SLABS * SLAB)
                .donors(Stream.of(proxies)
                        .map(proxy -> new DonorAddress("127.0.0.1", proxy.port()))
                        .toList())
                .requestTimeout(timeout)
                .wait(Duration.ofSeconds(2))
                .stateFile(folder.resolve("leap.state"));
    }

    private void deleteState() throws IOException {
        Files.delete(folder.resolve("leap.state"));
    }

    private void replaceDonor(int index) throws IOException {
        donors[index].close();
        donors[index] = donor(SLABS);
        proxies[index].redirect(donors[index].address());
    }

    private void awaitLinks(int each) {
        Await.until(() -> device.donors().stream().allMatch(donor -> donor.linksUp() == each));
    }

    private long stalePages() {
        return donors[0].store.statistics().stalePages()
                + donors[1].store.statistics().stalePages();
    }

    private List<FaultProxy.Relay> holdBoth() {
        return Stream.of(proxies)
                .flatMap(proxy -> proxy.holdOpenConnections().stream())
                .toList();
    }

    private DonorProcess donor(int slabs) throws IOException {
        DonorProcess donor = new DonorProcess(slabs);
        opened.add(donor);
        return donor;
    }

    private FaultProxy proxy(DonorProcess donor) throws IOException {
        FaultProxy proxy = new FaultProxy(donor.address());
        opened.add(proxy);
        return proxy;
    }

    private static byte[] random(int length, int seed) {
        byte[] bytes = new byte[length];
        new Random(seed).nextBytes(bytes);
        return bytes;
    }
}
