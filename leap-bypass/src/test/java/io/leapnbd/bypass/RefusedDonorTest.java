package io.leapnbd.bypass;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.leapnbd.bypass.link.Donor;
import io.leapnbd.bypass.link.DonorAddress;
import io.leapnbd.bypass.link.DonorAddress.Transport;
import io.leapnbd.bypass.link.RefusedException;
import io.leapnbd.donor.tls.LinkTls;
import io.leapnbd.donor.tls.Role;
import io.netty.channel.EventLoopGroup;
import io.netty.channel.MultiThreadIoEventLoopGroup;
import io.netty.channel.epoll.EpollIoHandler;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** A donor whose certificate has ended is like one that is silent: a start needs it, or does not. */
class RefusedDonorTest {

    private static final int SLABS = 4;

    private final EventLoopGroup group = new MultiThreadIoEventLoopGroup(1, EpollIoHandler.newFactory());
    private final List<AutoCloseable> opened = new ArrayList<>();
    private final Pool pool = new Pool();

    @TempDir
    private Path folder;

    @SuppressWarnings("NullAway.Init") // Made before each test.
    private LinkTls own;

    @SuppressWarnings("NullAway.Init") // Likewise.
    private DonorAddress good;

    @SuppressWarnings("NullAway.Init") // Likewise.
    private DonorAddress ended;

    @BeforeEach
    void begin() throws Exception {
        own = pool.server("web");
        LinkTls lends = pool.donor("h1");
        DonorProcess donor = new DonorProcess(SLABS, lends);
        good = address(donor.address());
        ended = address(Pool.listener(pool.ended(Role.DONOR, "h2"), opened));
        opened.add(donor);
        opened.add(lends);
    }

    @AfterEach
    void end() throws Exception {
        for (AutoCloseable one : opened) {
            one.close();
        }
        group.shutdownGracefully(0, 1, TimeUnit.SECONDS).syncUninterruptibly();
        own.close();
    }

    private static DonorAddress address(InetSocketAddress at) {
        return new DonorAddress(Transport.TCP, at.getAddress().getHostAddress(), at.getPort(), "");
    }

    private RemoteDevice open(DonorAddress... donors) throws IOException {
        return RemoteDevice.open(
                new RemoteDeviceContext()
                        .size((long) SLABS * DonorProcess.SLAB)
                        .donors(List.of(donors))
                        .tls(own)
                        .wait(Duration.ofMinutes(10))
                        .stateFile(folder.resolve("leap.state"))
                        .conclude(),
                group);
    }

    @Test
    void aStartThatDoesNotNeedItGoesOnWithoutIt() throws IOException {
        RemoteDevice before = open(good);
        before.close();
        RemoteDevice after = open(ended, good);
        assertThat(after.content()).isEqualTo(before.content());
        after.close();
    }

    /** Nobody knows what it holds. To wait for it would be of no use. */
    @Test
    void aStartThatNeedsItFailsAtOnceAndSaysWhy() {
        assertThatThrownBy(() -> open(ended, good))
                .isInstanceOf(RefusedException.class)
                .hasMessageContaining("donor " + ended + " ")
                .hasMessageContaining("its certificate has ended on ");
        assertThatThrownBy(() -> open(ended)).isInstanceOf(RefusedException.class);
    }

    /** Links that are there end, at either end, and no new one comes to be; a list that lets the peer in again is enough. */
    @ParameterizedTest
    @EnumSource(
            value = Role.class,
            names = {"DONOR", "SERVER"})
    void whoIsTakenOutOfThePoolIsCutOffAndStaysOut(Role tells) throws Exception {
        LinkTls lends = (LinkTls) opened.getLast();
        LinkTls told = tells == Role.DONOR ? lends : own;
        String name = tells == Role.DONOR ? "h1" : "web";
        RemoteDevice device = open(good);
        try {
            Donor donor = device.donors().getFirst();
            Awaiting.that("the donor is reached", donor::up);
            assertThat(told.reread(pool.credentials(tells, name)).use()).isZero();
            assertThat(told.reread(pool.credentials(tells, name, its -> true)).use())
                    .isPositive();
            Awaiting.that("the donor is not reached", () -> !donor.up() && donor.whyUnused() != null);
            assertThat(told.reread(pool.credentials(tells, name)).use()).isZero();
            Awaiting.that("the donor is reached again", donor::up);
            assertThatThrownBy(() -> told.reread(pool.credentials(tells, "another")))
                    .isInstanceOf(IOException.class)
                    .hasMessageContaining("is that of 'another' now");
            assertThat(told.own().name()).isEqualTo(name);
        } finally {
            device.close();
        }
    }

    /** What is another's is not begun blank beside it. */
    @Test
    void anExportOfAnotherServerIsRefusedWhateverElseThereIs() throws Exception {
        open(good).close();
        LinkTls first = own;
        opened.add(first);
        own = pool.server("other");
        LinkTls lends = pool.donor("h3");
        DonorProcess empty = new DonorProcess(SLABS, lends);
        opened.add(empty);
        opened.add(lends);
        assertThatThrownBy(() -> open(good, address(empty.address())))
                .isInstanceOf(RefusedException.class)
                .hasMessageContaining("belongs to 'web' there");
    }
}
