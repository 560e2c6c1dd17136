package io.leapnbd.bypass.link;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.leapnbd.bypass.Pool;
import io.leapnbd.donor.loop.LoopSettings;
import io.leapnbd.donor.net.DonorServer;
import io.leapnbd.donor.net.ServerSettings;
import io.leapnbd.donor.protocol.Hello;
import io.leapnbd.donor.protocol.Protocol;
import io.leapnbd.donor.protocol.Status;
import io.leapnbd.donor.store.Identity;
import io.leapnbd.donor.store.SlabStore;
import io.leapnbd.donor.store.StoreSettings;
import io.leapnbd.donor.tls.LinkProtection;
import io.leapnbd.donor.tls.LinkTls;
import io.leapnbd.donor.tls.Role;
import io.netty.buffer.UnpooledByteBufAllocator;
import io.netty.channel.EventLoop;
import io.netty.channel.EventLoopGroup;
import io.netty.channel.MultiThreadIoEventLoopGroup;
import io.netty.channel.epoll.EpollIoHandler;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.UUID;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** Both ends of links of a pool: which of them refuses the other, and that the server says so in a sentence, at the start and later. */
class TlsLinkTest {

    private static final int DEADLINE_SECONDS = 60;
    private static final Duration PATIENCE = Duration.ofSeconds(DEADLINE_SECONDS);
    private static final UUID CONTENT = new UUID(2, 2);
    private static final LinkSettings SETTINGS = new LinkSettings(
            "a",
            new UUID(1, 1),
            CONTENT,
            1,
            new UUID(4, 4),
            "test",
            () -> ByteBuffer.allocate(0),
            _ -> false,
            Protocol.MIN_SLAB_SIZE,
            PATIENCE,
            512 << 10);

    private final EventLoopGroup group = new MultiThreadIoEventLoopGroup(1, EpollIoHandler.newFactory());
    private final EventLoop loop = group.next();
    private final List<AutoCloseable> opened = new ArrayList<>();
    private final Pool pool = new Pool();
    private SlabStore store;

    @BeforeEach
    void open() throws IOException {
        store = SlabStore.open(StoreSettings.ofMemory(4 * Protocol.MIN_SLAB_SIZE, Protocol.MIN_SLAB_SIZE)
                .withLock(false)
                .withReadySlabs(0));
    }

    @AfterEach
    void close() throws Exception {
        for (AutoCloseable one : opened.reversed()) {
            one.close();
        }
        group.shutdownGracefully(0, 1, TimeUnit.SECONDS).syncUninterruptibly();
        store.close();
    }

    private InetSocketAddress donor(@Nullable LinkTls tls) throws IOException {
        DonorServer server = DonorServer.start(
                store,
                ServerSettings.listenOn(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0))
                        .withLoops(LoopSettings.of(1)),
                tls);
        opened.add(server);
        return server.address();
    }

    private LinkTls kept(LinkTls tls) {
        opened.add(tls);
        return tls;
    }

    private TcpConnector connector(Donor donor, InetSocketAddress address, @Nullable LinkTls tls) {
        return new TcpConnector(
                donor,
                new DonorAddress("127.0.0.1", address.getPort()),
                PATIENCE,
                UnpooledByteBufAllocator.DEFAULT,
                tls);
    }

    private Donor known() {
        return new Donor("donor", new IgnoringListener());
    }

    /** Until it serves, or says why it is not used. */
    private @Nullable String linked(InetSocketAddress address, @Nullable LinkTls tls) throws Exception {
        Donor donor = known();
        donor.stand(DonorStanding.NONE);
        TcpConnector connector = connector(donor, address, tls);
        DonorLink link = loop.submit(() -> connector.link(loop, 0, SETTINGS, PATIENCE.toNanos()))
                .get(DEADLINE_SECONDS, TimeUnit.SECONDS);
        try {
            long deadline = System.nanoTime() + PATIENCE.toNanos();
            while (System.nanoTime() < deadline) {
                // Whichever of the two comes first.
                if (loop.submit(link::ready).get(DEADLINE_SECONDS, TimeUnit.SECONDS)) {
                    assertThat(donor.shown() == null).isEqualTo(tls == null);
                    return null;
                }
                String why = donor.whyUnused();
                if (why != null) {
                    return why;
                }
                Thread.sleep(5);
            }
            throw new AssertionError("neither ready nor refused");
        } finally {
            loop.submit(link::close).get(DEADLINE_SECONDS, TimeUnit.SECONDS);
        }
    }

    private String refusedAtStart(InetSocketAddress address, @Nullable LinkTls tls) {
        List<String> said = new ArrayList<>();
        assertThatThrownBy(() -> {
                    try (Conversation conversation =
                            connector(known(), address, tls).talk("a")) {
                        conversation.hello(Hello.observe("a", 0));
                    }
                })
                .isInstanceOf(RefusedException.class)
                .satisfies(refusal -> said.add(String.valueOf(refusal.getMessage())));
        return said.getFirst();
    }

    @Test
    void bothEndsOfOnePoolTalk() throws Exception {
        LinkTls web = kept(pool.server("web"));
        InetSocketAddress address = donor(kept(pool.donor("h1")));
        try (Conversation conversation = connector(known(), address, web).talk("a")) {
            assertThat(conversation.hello(Hello.observe("a", 0)).status()).isEqualTo(Status.OK);
        }
        assertThat(linked(address, web)).isNull();
        assertThat(store.statistics().exports().getFirst().identity()).isEqualTo(new Identity("web"));
    }

    @Test
    void bothEndsGoOnInClear() throws Exception {
        LinkTls web = kept(pool.server("web", LinkProtection.AUTH));
        InetSocketAddress address = donor(kept(pool.donor("h1")));
        try (Conversation conversation = connector(known(), address, web).talk("a")) {
            assertThat(conversation.hello(Hello.observe("a", 0)).status()).isEqualTo(Status.OK);
        }
        assertThat(linked(address, web)).isNull();
        assertThat(store.statistics().exports().getFirst().identity()).isEqualTo(new Identity("web"));
    }

    @Test
    void aDonorThatTakesTlsAloneRefusesFramesInClear() throws Exception {
        InetSocketAddress address = donor(kept(pool.donor("h1", LinkProtection.TLS)));
        LinkTls web = kept(pool.server("web", LinkProtection.AUTH));
        assertThat(refusedAtStart(address, web)).startsWith("refuses --link-security auth: it was started with");
        assertThat(linked(address, web)).startsWith("refuses --link-security auth: it was started with");
        assertThat(linked(address, kept(pool.server("web")))).isNull();
    }

    @Test
    void anExportOfAnotherIdentityIsRefusedWithItsName() throws Exception {
        InetSocketAddress address = donor(kept(pool.donor("h1")));
        assertThat(linked(address, kept(pool.server("web")))).isNull();
        LinkTls mail = kept(pool.server("mail"));
        assertThat(refusedAtStart(address, mail)).contains("export a belongs to 'web' there");
        assertThat(linked(address, mail)).contains("the export belongs to another identity");
    }

    @Test
    void aDonorOfAnotherPoolIsRefused() throws Exception {
        InetSocketAddress address = donor(kept(new Pool().donor("h1")));
        LinkTls web = kept(pool.server("web"));
        assertThat(refusedAtStart(address, web))
                .startsWith("is refused: its certificate is not of this pool's authority");
        assertThat(linked(address, web)).startsWith("is refused: its certificate is not of this pool's authority");
    }

    /** The donor believes this server, and shows a server's certificate itself. */
    @Test
    void aServerDoesNotLend() throws Exception {
        LinkTls web = kept(pool.server("web"));
        InetSocketAddress address = Pool.listener(pool.issue(Role.SERVER, "mail"), opened);
        assertThat(refusedAtStart(address, web)).startsWith("is refused: its certificate is that of a server (mail)");
        assertThat(linked(address, web)).startsWith("is refused: its certificate is that of a server (mail)");
    }

    @Test
    void aDonorWhoseCertificateHasEndedIsRefused() throws Exception {
        LinkTls web = kept(pool.server("web"));
        InetSocketAddress address = Pool.listener(pool.ended(Role.DONOR, "h1"), opened);
        assertThat(refusedAtStart(address, web)).startsWith("is refused: its certificate has ended");
        assertThat(linked(address, web)).startsWith("is refused: its certificate has ended");
    }

    @Test
    void aDonorWithoutAPoolIsRefused() throws Exception {
        InetSocketAddress address = donor(null);
        LinkTls web = kept(pool.server("web"));
        assertThat(refusedAtStart(address, web)).startsWith("does not use TLS; start that donor with --pool");
        assertThat(linked(address, web)).startsWith("does not use TLS; start that donor with --pool");
    }

    @Test
    void aServerWithoutAPoolIsRefused() throws Exception {
        InetSocketAddress address = donor(kept(pool.donor("h1")));
        assertThat(refusedAtStart(address, null)).contains("it serves only servers of its pool");
        assertThat(linked(address, null)).contains("it serves only servers of its pool");
    }

    @Test
    void nobodyStartsWithACertificateOfAnotherRole() {
        assertThatThrownBy(() -> LinkTls.server(pool.credentials(Role.DONOR, "h1")))
                .hasMessageContaining("that of a donor, and this is a server");
    }
}
