package io.leapnbd.bypass.link;

import static org.assertj.core.api.Assertions.assertThat;

import io.leapnbd.bypass.Await;
import io.leapnbd.bypass.Pool;
import io.leapnbd.bypass.link.FrameMiddle.Does;
import io.leapnbd.bypass.link.LinkRequest.Outcome;
import io.leapnbd.donor.loop.LoopSettings;
import io.leapnbd.donor.net.DonorServer;
import io.leapnbd.donor.net.ServerSettings;
import io.leapnbd.donor.protocol.Operation;
import io.leapnbd.donor.protocol.Protocol;
import io.leapnbd.donor.store.SlabStore;
import io.leapnbd.donor.store.StoreSettings;
import io.leapnbd.donor.tls.LinkProtection;
import io.leapnbd.donor.tls.LinkTls;
import io.leapnbd.donor.tls.Role;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.netty.buffer.UnpooledByteBufAllocator;
import io.netty.channel.EventLoop;
import io.netty.channel.EventLoopGroup;
import io.netty.channel.MultiThreadIoEventLoopGroup;
import io.netty.channel.epoll.EpollIoHandler;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.UUID;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** A link whose frames go in clear, with a hostile middle: each thing that he does to a frame ends the link, and no byte is wrong. */
class LinkAuthTest {

    private static final int DEADLINE_SECONDS = 60;
    private static final Duration PATIENCE = Duration.ofSeconds(DEADLINE_SECONDS);
    private static final int PAGE = Protocol.PAGE_SIZE;

    /** Of the largest write: more than arrives at once. */
    private static final int LARGE = 200_000;

    private final EventLoopGroup group = new MultiThreadIoEventLoopGroup(1, EpollIoHandler.newFactory());
    private final EventLoop loop = group.next();
    private final List<AutoCloseable> opened = new ArrayList<>();
    private final Pool pool = new Pool();
    private final ByteBuf memory = Unpooled.directBuffer(2 * LARGE, 2 * LARGE).writerIndex(2 * LARGE);
    private LinkTls lends;
    private LinkTls web;
    private SlabStore store;
    private DonorServer server;
    private int exports;

    @BeforeEach
    void open() throws Exception {
        store = SlabStore.open(StoreSettings.ofMemory(64 * Protocol.MIN_SLAB_SIZE, Protocol.MIN_SLAB_SIZE)
                .withLock(false)
                .withReadySlabs(0));
        lends = pool.donor("h1");
        server = DonorServer.start(
                store,
                ServerSettings.listenOn(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0))
                        .withLoops(LoopSettings.of(1)),
                lends);
        opened.add(lends);
        opened.add(server);
        web = pool.server("web", LinkProtection.AUTH);
        opened.add(web);
    }

    @AfterEach
    void close() throws Exception {
        for (AutoCloseable one : opened.reversed()) {
            one.close();
        }
        group.shutdownGracefully(0, 1, TimeUnit.SECONDS).syncUninterruptibly();
        store.close();
        memory.release();
    }

    private DonorLink link(InetSocketAddress address) throws Exception {
        return link(address, new Donor("donor", new IgnoringListener()), web);
    }

    private DonorLink link(InetSocketAddress address, Donor donor, LinkTls shown) throws Exception {
        donor.stand(DonorStanding.NONE);
        LinkSettings settings = new LinkSettings(
                "a" + exports++,
                new UUID(1, 1),
                new UUID(2, 2),
                1,
                new UUID(4, 4),
                "test",
                () -> ByteBuffer.allocate(0),
                _ -> false,
                Protocol.MIN_SLAB_SIZE,
                PATIENCE,
                512 << 10);
        TcpConnector connector = new TcpConnector(
                donor,
                new DonorAddress("127.0.0.1", address.getPort()),
                PATIENCE,
                UnpooledByteBufAllocator.DEFAULT,
                shown);
        return loop.submit(() -> connector.link(loop, 0, settings, PATIENCE.toNanos()))
                .get(DEADLINE_SECONDS, TimeUnit.SECONDS);
    }

    private CompletableFuture<LinkRequest> ask(DonorLink link, Consumer<LinkRequest> fill) {
        CompletableFuture<LinkRequest> ended = new CompletableFuture<>();
        loop.execute(() -> {
            LinkRequest request = new LinkRequest();
            request.buffer = memory;
            request.startNanos = System.nanoTime();
            request.deadlineNanos = request.startNanos + PATIENCE.toNanos();
            request.completion = (one, now) -> ended.complete(one);
            fill.accept(request);
            link.post(request);
            link.flush();
        });
        return ended;
    }

    private static LinkRequest ok(CompletableFuture<LinkRequest> asked) throws Exception {
        LinkRequest request = asked.get(DEADLINE_SECONDS, TimeUnit.SECONDS);
        assertThat(request.outcome).isEqualTo(Outcome.OK);
        return request;
    }

    private static Consumer<LinkRequest> data(byte operation, int slab, int at, int length, int index, long version) {
        return request -> {
            request.operation = operation;
            request.slab = slab;
            request.offset = at;
            request.length = length;
            request.bufferIndex = index;
            request.version = version;
        };
    }

    private static byte[] content(int seed, int length) {
        byte[] bytes = new byte[length];
        new java.util.Random(seed).nextBytes(bytes);
        return bytes;
    }

    /**
     * To the donor: hello (0; perhaps another one), grant (1), pages (2 to 5), a large write (6), a trim, reads; replies alike. Whatever becomes of the
     * link, each is done, and what is read is what was written.
     */
    private void work(DonorLink link) throws Exception {
        int slab = ok(ask(link, request -> request.grant(0, 1, false))).grantedHandle;
        List<CompletableFuture<LinkRequest>> writes = new ArrayList<>();
        for (int i = 0; i < 4; i++) {
            memory.setBytes(i * PAGE, content(i, PAGE));
            writes.add(ask(link, data(Operation.WRITE, slab, i * PAGE, PAGE, i * PAGE, i + 1)));
        }
        memory.setBytes(4 * PAGE, content(9, LARGE));
        writes.add(ask(link, data(Operation.WRITE, slab, 8 * PAGE, LARGE, 4 * PAGE, 5)));
        for (CompletableFuture<LinkRequest> write : writes) {
            LinkRequest _ = ok(write);
        }
        memory.setZero(0, memory.capacity());
        List<CompletableFuture<LinkRequest>> reads = new ArrayList<>();
        for (int i = 0; i < 4; i++) {
            reads.add(ask(link, data(Operation.READ, slab, i * PAGE, PAGE, i * PAGE, 0)));
        }
        reads.add(ask(link, data(Operation.READ, slab, 8 * PAGE, LARGE, 4 * PAGE, 0)));
        for (CompletableFuture<LinkRequest> read : reads) {
            LinkRequest _ = ok(read);
        }
        for (int i = 0; i < 4; i++) {
            assertThat(bytes(i * PAGE, PAGE)).isEqualTo(content(i, PAGE));
        }
        assertThat(bytes(4 * PAGE, LARGE)).isEqualTo(content(9, LARGE));
    }

    private byte[] bytes(int at, int length) {
        byte[] bytes = new byte[length];
        memory.getBytes(at, bytes);
        return bytes;
    }

    private FrameMiddle through(Does does, boolean toDonor, int at, List<byte[]> elsewhere) throws Exception {
        FrameMiddle middle = new FrameMiddle(server.address(), does, toDonor, at, elsewhere);
        try (middle) {
            DonorLink link = link(middle.address());
            try {
                work(link);
            } finally {
                loop.submit(link::close).get(DEADLINE_SECONDS, TimeUnit.SECONDS);
            }
        }
        return middle;
    }

    @Test
    void framesGoInClearAndAreWhole() throws Exception {
        FrameMiddle middle = through(Does.NOTHING, true, 0, List.of());
        assertThat(middle.connections).hasValue(1);
        // Hello, grant, five writes, five reads: the middle has understood all of them.
        assertThat(middle.heard).hasSizeGreaterThanOrEqualTo(12);
        assertThat(server.statistics().badRequests()).isZero();
    }

    @ParameterizedTest
    @EnumSource(mode = EnumSource.Mode.EXCLUDE, names = "NOTHING")
    void whatIsDoneToAFrameEndsTheLinkAndNothingIsWrong(Does does) throws Exception {
        for (boolean toDonor : new boolean[] {true, false}) {
            List<byte[]> elsewhere = does == Does.SAYS_THAT_OF_ANOTHER_LINK
                    ? through(Does.NOTHING, toDonor, 0, List.of()).heard
                    : List.of();
            boolean body = does == Does.CHANGES_BODY || does == Does.CHANGES_TAG_OF_BODY;
            // Only hellos and their replies have a body that is no page, and have it for certain.
            for (int at : body ? new int[] {0} : new int[] {0, 3, 5, 9}) {
                if (at == 0 && needsAnother(does)) {
                    continue;
                }
                long before = server.statistics().badRequests();
                FrameMiddle middle = through(does, toDonor, at, elsewhere);
                assertThat(middle.done()).as("%s at %d", does, at).isTrue();
                if (toDonor == (does != Does.SENDS_IT_BACK)) {
                    // The donor is who gets what was touched. What the server has asked may be answered before.
                    Await.until(() -> server.statistics().badRequests() > before);
                } else {
                    assertThat(middle.connections.get())
                            .as("connections, %s at %d", does, at)
                            .isGreaterThan(1);
                }
            }
        }
    }

    /** A FIN without a last word would say that the donor's process has ended. It lives: it ends the link by a reset, as over TLS. */
    @ParameterizedTest
    @EnumSource(LinkProtection.class)
    void whoIsTakenOutOfThePoolSeesNoProcessEnd(LinkProtection protection) throws Exception {
        LinkTls shown = pool.server("web", protection);
        opened.add(shown);
        List<Boolean> nobodyElseClaimed = new ArrayList<>();
        Donor donor = new Donor("donor", new IgnoringListener() {
            @Override
            public void donorLost(Donor of, UUID gone, UUID found, boolean unclaimed) {
                nobodyElseClaimed.add(unclaimed);
            }
        });
        DonorLink link = link(server.address(), donor, shown);
        work(link);
        assertThat(lends.reread(pool.credentials(Role.DONOR, "h1", its -> true)).use())
                .isPositive();
        Await.until(() -> !donor.up());
        loop.submit(link::close).get(DEADLINE_SECONDS, TimeUnit.SECONDS);
        donor.lost(UUID.randomUUID(), false);
        assertThat(nobodyElseClaimed).containsExactly(false);
    }

    /** Whether it comes out at the frame that is next, or is about one that was before. Behind a hello nothing comes before its reply. */
    private static boolean needsAnother(Does does) {
        return does == Does.SAYS_AN_EARLIER_ONE || does == Does.SAYS_BEHIND_THE_NEXT || does == Does.LEAVES_OUT;
    }
}
