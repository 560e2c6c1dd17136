package io.leapnbd.bypass;

import static org.assertj.core.api.Assertions.assertThat;

import io.leapnbd.bypass.link.DonorAddress;
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
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.UUID;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Two servers, and donors that restart while one of them cannot reach any: rule 4 of docs/ownership.md, over real sockets. */
class OwnershipFaultsTest {

    private static final int SLABS = 4;
    private static final int PAGE = 4096;

    private final List<AutoCloseable> opened = new ArrayList<>();
    private final EventLoopGroup group = new MultiThreadIoEventLoopGroup(1, EpollIoHandler.newFactory());
    private final DonorProcess[] donors = new DonorProcess[2];
    private final FaultProxy[] relays = new FaultProxy[2];

    private boolean loseMissing;

    @TempDir
    private Path folder;

    @BeforeEach
    void start() throws IOException {
        for (int i = 0; i < 2; i++) {
            donors[i] = opened(new DonorProcess(SLABS));
            relays[i] = opened(new FaultProxy(donors[i].address()));
        }
    }

    @AfterEach
    void stop() throws Exception {
        for (AutoCloseable one : opened.reversed()) {
            one.close();
        }
        group.shutdownGracefully(0, 1, TimeUnit.SECONDS).syncUninterruptibly();
    }

    /** Nothing new gets through from the first server; what is connected stays so. */
    private void refuseConnections() throws IOException {
        try (ServerSocket closed = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
            for (FaultProxy relay : relays) {
                relay.redirect((InetSocketAddress) closed.getLocalSocketAddress());
            }
        }
    }

    private void restartDonors() throws IOException {
        for (int i = 0; i < 2; i++) {
            opened.remove(donors[i]);
            donors[i].close();
            donors[i] = opened(new DonorProcess(SLABS));
        }
    }

    private void letThrough() {
        for (int i = 0; i < 2; i++) {
            relays[i].redirect(donors[i].address());
        }
    }

    private boolean claimed() {
        return Stream.of(donors)
                .anyMatch(donor -> !donor.store.statistics().exports().isEmpty());
    }

    /** The fault: the first server took the end of its links for the end of the donors, and claimed what came after them. */
    @Test
    void aServerThatWasFencedWhileItCouldReachNobodyClaimsNoDonorThatRestartsThen() throws Exception {
        RemoteDevice first = throughRelays();
        new DeviceDriver(first, group.next()).write(0, new byte[PAGE]);
        refuseConnections();
        RemoteDevice second = directly();
        DeviceDriver.join(first.fenced());
        close(second);
        restartDonors();
        letThrough();
        Await.until(() -> first.donors().stream().noneMatch(donor -> donor.up()));
        assertThat(claimed()).isFalse();
    }

    /** The same, and the words are lost: connections are cut by somebody who resets them. */
    @Test
    void aServerWhoseLinksWereResetWhileItCouldReachNobodyClaimsNoDonorThatRestartsThen() throws Exception {
        RemoteDevice first = throughRelays();
        new DeviceDriver(first, group.next()).write(0, new byte[PAGE]);
        refuseConnections();
        Stream.of(relays).forEach(FaultProxy::reset);
        RemoteDevice second = directly();
        close(second);
        restartDonors();
        letThrough();
        // It can never show again that it owns the export, and says so instead of waiting for ever.
        DeviceDriver.join(first.stranded());
        assertThat(claimed()).isFalse();
        assertThat(first.fenced()).isNotDone();
        Await.until(() -> first.donors().stream()
                .allMatch(donor -> String.valueOf(donor.whyUnused()).contains("has nothing of this export")));
    }

    @Test
    void aServerThatSawAllItsDonorsEndClaimsWhatComesAfterThem() throws Exception {
        RemoteDevice first = throughRelays();
        DeviceDriver driver = new DeviceDriver(first, group.next());
        assertThat(driver.write(0, new byte[PAGE])).isZero();
        restartDonors();
        letThrough();
        Await.until(() -> first.donors().stream().allMatch(donor -> donor.linksUp() == 1));
        assertThat(driver.write(0, new byte[PAGE])).isZero();
        assertThat(claimed()).isTrue();
        assertThat(first.stranded()).isNotDone();
    }

    /** The fault: the one that was given up is not known by its identity, and fenced the server that had gone on without it. */
    @Test
    void aDonorThatComesBackAtAnAddressThatWasGivenUpFencesNobody() throws Exception {
        RemoteDevice before = throughRelays();
        long term = before.term();
        close(before);
        opened.remove(donors[1]);
        donors[1].close();
        loseMissing = true;
        RemoteDevice device = throughRelays("no.state");
        // The server before had claimed the process that came after the one that is known; nobody was told.
        donors[1] = opened(new DonorProcess(SLABS));
        claim(donors[1], device.content(), term);
        letThrough();
        Await.until(() -> String.valueOf(device.donors().get(1).whyUnused()).contains("given up with --lose-missing"));
        assertThat(device.fenced()).isNotDone();
        assertThat(new DeviceDriver(device, group.next()).write(0, new byte[PAGE]))
                .isZero();
    }

    @Test
    void aClaimOfALaterServerAtAnAddressThatWasGivenUpFences() throws Exception {
        close(throughRelays());
        opened.remove(donors[1]);
        donors[1].close();
        loseMissing = true;
        RemoteDevice device = throughRelays("no.state");
        donors[1] = opened(new DonorProcess(SLABS));
        claim(donors[1], device.content(), device.term() + 1);
        letThrough();
        DeviceDriver.join(device.fenced());
    }

    /** Nothing is read from, or written to, the donor that is at the place of another one; and nothing is lost. */
    @Test
    void donorsThatSwapAddressesWhileAServerRunsLoseNoPageAndFakeNone() throws Exception {
        RemoteDevice device = throughRelays();
        DeviceDriver driver = new DeviceDriver(device, group.next());
        byte[][] pages = new byte[SLABS][PAGE];
        for (int slab = 0; slab < SLABS; slab++) {
            Arrays.fill(pages[slab], (byte) (1 + slab));
            assertThat(driver.write((long) slab * DonorProcess.SLAB, pages[slab]))
                    .isZero();
        }
        assertThat(Stream.of(donors))
                .allMatch(donor -> donor.store.statistics().exports().getFirst().slabs() > 0);
        relays[0].redirect(donors[1].address());
        relays[1].redirect(donors[0].address());
        Stream.of(relays).forEach(FaultProxy::cut);
        Await.until(() -> device.donors().stream()
                .allMatch(donor -> String.valueOf(donor.whyUnused()).contains("knows at another address")));
        for (int slab = 0; slab < SLABS; slab++) {
            DeviceDriver.Read read = driver.startRead((long) slab * DonorProcess.SLAB, PAGE);
            assertThat(DeviceDriver.join(read.error())).isEqualTo(NbdError.EIO.code());
        }
        letThrough();
        Await.until(() -> device.donors().stream().allMatch(donor -> donor.linksUp() == 1));
        for (int slab = 0; slab < SLABS; slab++) {
            assertThat(driver.read((long) slab * DonorProcess.SLAB, PAGE)).isEqualTo(pages[slab]);
        }
        close(device);
        relays[0].redirect(donors[1].address());
        relays[1].redirect(donors[0].address());
        DeviceDriver next = new DeviceDriver(throughRelays(), group.next());
        for (int slab = 0; slab < SLABS; slab++) {
            assertThat(next.read((long) slab * DonorProcess.SLAB, PAGE)).isEqualTo(pages[slab]);
        }
    }

    private static void claim(DonorProcess donor, UUID content, long term) {
        Hello hello = Hello.claim(
                "leap",
                0,
                false,
                0,
                HelloReply.NONE,
                0,
                content,
                new UUID(77, term),
                term,
                new UUID(7, 7),
                "another server",
                ByteBuffer.allocate(0));
        assertThat(donor.store.hello(hello).status()).isEqualTo(Status.OK);
    }

    private RemoteDevice throughRelays() throws IOException {
        return throughRelays("first.state");
    }

    private RemoteDevice throughRelays(String state) throws IOException {
        return open(
                state,
                Stream.of(relays)
                        .map(relay -> new DonorAddress("127.0.0.1", relay.port()))
                        .toList());
    }

    /** The second server takes over. */
    private RemoteDevice directly() throws IOException {
        return open(
                "second.state",
                Stream.of(donors)
                        .map(donor ->
                                new DonorAddress("127.0.0.1", donor.address().getPort()))
                        .toList());
    }

    private RemoteDevice open(String state, List<DonorAddress> addresses) throws IOException {
        return opened(RemoteDevice.open(
                new RemoteDeviceContext()
                        .size((long) SLABS * DonorProcess.SLAB)
                        .donors(addresses)
                        .requestTimeout(Duration.ofSeconds(20))
                        .wait(Duration.ofSeconds(2))
                        .takeOver(true)
                        .loseMissing(loseMissing)
                        .stateFile(folder.resolve(state))
                        .conclude(),
                group));
    }

    private void close(RemoteDevice device) throws IOException {
        opened.remove(device);
        device.close();
    }

    private <T extends AutoCloseable> T opened(T one) {
        opened.add(one);
        return one;
    }
}
