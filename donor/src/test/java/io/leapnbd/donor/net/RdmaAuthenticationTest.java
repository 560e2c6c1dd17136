package io.leapnbd.donor.net;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.leapnbd.donor.Await;
import io.leapnbd.donor.Hellos;
import io.leapnbd.donor.Pages;
import io.leapnbd.donor.TestPool;
import io.leapnbd.donor.protocol.Hello;
import io.leapnbd.donor.protocol.Operation;
import io.leapnbd.donor.protocol.Protocol;
import io.leapnbd.donor.protocol.ReplyHeader;
import io.leapnbd.donor.protocol.SlabKey;
import io.leapnbd.donor.protocol.Status;
import io.leapnbd.donor.protocol.Version;
import io.leapnbd.donor.store.ExportStatistics;
import io.leapnbd.donor.store.Identity;
import io.leapnbd.donor.store.SlabStore;
import io.leapnbd.donor.store.StoreSettings;
import io.leapnbd.donor.tls.LinkTls;
import io.leapnbd.donor.tls.MessageTls;
import io.leapnbd.donor.tls.PoolAuthority;
import io.leapnbd.donor.tls.Role;
import io.leapnbd.donor.tls.TlsProblem;
import io.netty.buffer.ByteBuf;
import io.netty.channel.IoEventLoop;
import io.netty.channel.MultiThreadIoEventLoopGroup;
import io.netty.channel.epoll.EpollIoHandler;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReference;
import javax.net.ssl.SSLException;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.slf4j.LoggerFactory;

/** A donor of a pool over RDMA serves servers of the pool, each its own exports, and nobody else. The device is left out. */
class RdmaAuthenticationTest {

    private static final int SLAB = 1 << 20;
    private static final InetSocketAddress SOMEWHERE = new InetSocketAddress(InetAddress.getLoopbackAddress(), 9);

    private final MultiThreadIoEventLoopGroup group = new MultiThreadIoEventLoopGroup(1, EpollIoHandler.newFactory());
    private final IoEventLoop loop = group.next();
    private final List<RdmaLink> links = new ArrayList<>();
    private final ServerCounters counters = new ServerCounters();

    /** Keys that peers may read by, at this moment, in any domain. */
    private final Set<Integer> keys = ConcurrentHashMap.newKeySet();

    private final AtomicInteger lastKey = new AtomicInteger();
    private TestPool pool;
    private LinkTls tls;
    private SlabStore store;
    private Listener listener;

    @BeforeEach
    void open() throws Exception {
        pool = new TestPool();
        tls = pool.donor("h1");
        store = SlabStore.open(StoreSettings.ofMemory(4 * SLAB, SLAB).withReadySlabs(0));
        listen(tls, Duration.ofMinutes(10));
    }

    @AfterEach
    void close() throws Exception {
        for (RdmaLink link : links) {
            loop.submit(link::close).get(30, TimeUnit.SECONDS);
        }
        group.shutdownGracefully(0, 1, TimeUnit.SECONDS).syncUninterruptibly();
        store.close();
        tls.close();
    }

    private void listen(@Nullable LinkTls shown, Duration helloTimeout) {
        ServerSettings settings = ServerSettings.listenOn(new InetSocketAddress(0))
                .withTimeouts(helloTimeout, Duration.ofMinutes(10), Duration.ofMillis(100));
        listener = new Listener(
                store,
                settings,
                counters,
                new LinkPlaces(settings.maxLinks()),
                new LinkMemory(settings.memory()),
                shown,
                new LimitedLog(LoggerFactory.getLogger(RdmaAuthenticationTest.class)));
    }

    /** A domain that hands out keys, no two alike. */
    private final class Keys implements ExportMemory.Domain {
        @Override
        public ExportMemory.Registration register(long address, int length) {
            int key = lastKey.incrementAndGet();
            keys.add(key);
            return new ExportMemory.Registration() {
                @Override
                public int key() {
                    return key;
                }

                @Override
                public void close() {
                    keys.remove(key);
                }
            };
        }

        @Override
        public void close() {
            // Nobody else has it.
        }
    }

    /** Somebody connects, and has said nothing yet. */
    private MemoryPair connect() throws Exception {
        AtomicReference<MemoryPair> made = new AtomicReference<>();
        AtomicReference<ExportMemory> memory = new AtomicReference<>();
        memory.set(new ExportMemory(
                new Keys(), store, () -> loop.execute(() -> memory.get().releaseTakenBack())));
        loop.submit(() -> {
                    RdmaLink link = new RdmaLink(
                            listener,
                            loop,
                            SOMEWHERE,
                            null,
                            memory.get(),
                            (most, first, completions) -> {
                                made.set(new MemoryPair(first, completions));
                                return made.get();
                            },
                            _ -> memory.get().close());
                    links.add(link);
                    assertThat(link.enter()).isTrue();
                    link.opened();
                    return link;
                })
                .get(30, TimeUnit.SECONDS);
        return made.get();
    }

    /** Nobody else knows of its queue pair. */
    @Test
    void aLinkThatDoesNotComeToBeLeavesNoQueuePair() throws Exception {
        for (boolean unarmed : new boolean[] {true, false}) {
            AtomicReference<MemoryPair> made = new AtomicReference<>();
            ExportMemory memory = new ExportMemory(new Keys(), store, () -> {});
            assertThatThrownBy(() -> loop.submit(() -> new RdmaLink(
                                    listener,
                                    loop,
                                    SOMEWHERE,
                                    null,
                                    memory,
                                    (most, first, completions) -> {
                                        MemoryPair pair = new MemoryPair(first, completions);
                                        pair.failsToArm = unarmed;
                                        pair.hasNoDescriptor = !unarmed;
                                        made.set(pair);
                                        return pair;
                                    },
                                    _ -> {}))
                            .get(30, TimeUnit.SECONDS))
                    .cause()
                    .isInstanceOf(unarmed ? IOException.class : IllegalStateException.class);
            assertThat(made.get().isClosed()).isTrue();
        }
    }

    private MessagePeer peer(PoolAuthority.@Nullable Issued shown) throws Exception {
        return new MessagePeer(connect(), shown);
    }

    private MessagePeer claim(String identity, String export) throws Exception {
        MessagePeer peer = peer(pool.issue(Role.SERVER, identity)).ready();
        assertThat(peer.status(RawLink.frame(Hellos.after(peer.hello(Hellos.observe(export)), export, 1))))
                .isEqualTo(Status.OK);
        return peer;
    }

    private static int grant(MessagePeer peer, int index) throws Exception {
        ByteBuf granted = peer.ask(Operation.GRANT, index, 0, 0, Version.ofGrant(1, 1));
        assertThat(ReplyHeader.status(granted, 0)).isEqualTo(Status.OK);
        return granted.getInt(ReplyHeader.LENGTH);
    }

    private static SlabKey expose(MessagePeer peer, int handle) throws Exception {
        ByteBuf exposed = peer.ask(Operation.EXPOSE, handle, 0, 0, 0);
        assertThat(ReplyHeader.status(exposed, 0)).isEqualTo(Status.OK);
        return SlabKey.decode(exposed, ReplyHeader.LENGTH);
    }

    private void ended(MemoryPair pair) {
        Await.until("the link has ended", pair::isClosed);
        assertThat(store.statistics().hellos()).isZero();
        assertThat(keys).isEmpty();
    }

    @Test
    void aServerOfThePoolIsServedAndItsExportIsItsOwn() throws Exception {
        MessagePeer web = claim("web", "a");
        int slab = grant(web, 0);
        // Other ends of TLS may cut records a little shorter.
        byte[] large = Pages.array(7, Protocol.MAX_RDMA_PAYLOAD - Pages.PAGE);
        for (int i = 0; i < 40; i++) {
            // More than there are buffers.
            assertThat(ReplyHeader.status(web.ask(Operation.WRITE, slab, i * 64, large.length, i + 1, large), 0))
                    .isEqualTo(Status.OK);
        }
        ByteBuf read = web.ask(Operation.READ, slab, 39 * 64, large.length, 0);
        assertThat(Pages.content(read.skipBytes(ReplyHeader.LENGTH))).isEqualTo(large);
        assertThat(keys).isEmpty();
        assertThat(expose(web, slab).key()).isEqualTo(lastKey.get());
        assertThat(keys).containsExactly(lastKey.get());
        assertThat(store.statistics().exports())
                .extracting(ExportStatistics::identity)
                .containsExactly(new Identity("web"));
    }

    @Test
    void anotherIdentityCanNeitherObserveNorClaimNorJoin() throws Exception {
        MessagePeer web = claim("web", "a");
        for (Hello hello : List.of(
                Hellos.observe("a"),
                Hello.join("a", 0, 1, Hellos.instance(1)),
                Hellos.claim("a", 1, Hellos.CONTENT, 2))) {
            MessagePeer mail = peer(pool.issue(Role.SERVER, "mail")).ready();
            ByteBuf refused = mail.ask(RawLink.frame(hello));
            assertThat(ReplyHeader.status(refused, 0)).isEqualTo(Status.OTHER_IDENTITY);
            assertThat(refused.toString(
                            ReplyHeader.LENGTH, refused.readableBytes() - ReplyHeader.LENGTH, StandardCharsets.UTF_8))
                    .isEqualTo("web");
            Await.until("its link has ended", mail.pair::isClosed);
        }
        assertThat(web.status(RawLink.frame(Operation.PING, 1, 0, 0, 0, 0))).isEqualTo(Status.OK);
    }

    @Test
    void whoShowsACertificateOfAnotherPoolIsRefused() throws Exception {
        assertRefused(new TestPool().issue(Role.SERVER, "web"), "it is not of the other end's pool");
    }

    @Test
    void whoShowsNoCertificateIsRefused() throws Exception {
        assertRefused(null, "there is none");
    }

    @Test
    void whoShowsADonorsOrAClientsCertificateIsRefused() throws Exception {
        assertRefused(pool.issue(Role.DONOR, "h2"), "it has another role");
        assertRefused(pool.issue(Role.CLIENT, "h2"), "it has another role");
    }

    @Test
    void whoShowsACertificateThatHasEndedIsRefused() throws Exception {
        Instant then = Instant.now().minus(Duration.ofDays(3));
        assertRefused(pool.issue(Role.SERVER, "web", then, then.plus(Duration.ofDays(1))), "it has ended");
    }

    private void assertRefused(PoolAuthority.@Nullable Issued shown, String why) throws Exception {
        long before = counters.badRequests.sum();
        MessagePeer peer = peer(shown);
        peer.pair.say(peer.almost());
        assertThatThrownBy(() -> peer.opened(peer.heard()))
                .isInstanceOf(SSLException.class)
                .satisfies(refusal -> assertThat(TlsProblem.sentence(refusal, Role.DONOR))
                        .startsWith("refuses the certificate of this server: " + why));
        ended(peer.pair);
        assertThat(counters.badRequests.sum()).isEqualTo(before + 1);
    }

    @Test
    void aServerWithoutAPoolIsToldSoInItsOwnLanguage() throws Exception {
        MemoryPair pair = connect();
        pair.say(RawLink.frame(Hellos.observe("a")));
        byte[] reply = pair.hear();
        assertThat(reply).hasSize(ReplyHeader.LENGTH).startsWith(Operation.HELLO, Status.UNAUTHENTICATED);
        ended(pair);
    }

    @Test
    void aHelloBeforeTheEndOfTheHandshakeIsNotHeard() throws Exception {
        byte[] hello = RawLink.frame(Hellos.observe("a"));
        MessagePeer begun = peer(pool.issue(Role.SERVER, "web"));
        begun.pair.say(begun.next());
        begun.pair.say(hello);
        ended(begun.pair);

        MessagePeer glued = peer(pool.issue(Role.SERVER, "web"));
        byte[] last = glued.almost();
        byte[] sealed = glued.sealed(hello);
        byte[] both = Arrays.copyOf(last, last.length + sealed.length);
        System.arraycopy(sealed, 0, both, last.length, sealed.length);
        glued.pair.say(both);
        ended(glued.pair);
    }

    /** There is no buffer for it. So it is heard in its turn, of somebody who is known. */
    @Test
    void aHelloThatDoesNotWaitForTheWordThatTheDonorIsReadyWaitsInTheDevice() throws Exception {
        MessagePeer web = peer(pool.issue(Role.SERVER, "web"));
        byte[] last = web.almost();
        byte[] hello = web.sealed(RawLink.frame(Hellos.observe("a")));
        web.pair.say(last);
        web.pair.say(hello);
        assertThat(web.opened(web.heard())).startsWith(Operation.READY, Status.OK);
        assertThat(web.opened(web.heard())).startsWith(Operation.HELLO, Status.OK);
    }

    @Test
    void whoDoesNotEndTheHandshakeIsClosedAtTheHellosDeadline() throws Exception {
        listen(tls, Duration.ofMillis(300));
        MemoryPair silent = connect();
        MemoryPair begun = connect();
        begun.say(new MessagePeer(begun, null).next());
        MessagePeer half = peer(pool.issue(Role.SERVER, "web"));
        half.pair.say(half.next());
        // On a slow machine it may be over before that.
        byte[] _ = half.pair.hear();
        ended(silent);
        ended(begun);
        ended(half.pair);
        assertThat(counters.timeouts.sum()).isEqualTo(3);
    }

    @Test
    void whatIsNoMessageOfTlsEndsTheHandshake() throws Exception {
        byte[] hello = peer(null).next();
        for (byte[] message : new byte[][] {
            {},
            {22},
            {22, 3},
            {22, 3, 1, 2, 0, 1, 0},
            Arrays.copyOf(hello, hello.length - 1),
            Arrays.copyOf(hello, 9000)
        }) {
            MemoryPair pair = connect();
            pair.say(message);
            ended(pair);
        }
        MemoryPair tooLong = connect();
        tooLong.say(new byte[60_000]);
        ended(tooLong);
    }

    /** A page that a peer on the wire makes of a page, or says again, has no effect. */
    @Test
    void aMessageThatWasChangedOrIsSaidAgainEndsTheLinkWithoutAnEffect() throws Exception {
        for (boolean again : new boolean[] {false, true}) {
            MessagePeer web = claim("web", "a" + again);
            int slab = grant(web, 0);
            byte[] page = Pages.array(7, Pages.PAGE);
            byte[] write = web.sealed(RawLink.frame(Operation.WRITE, 1, slab, 0, page.length, 1, page));
            if (again) {
                web.pair.say(write);
                assertThat(web.opened(web.heard())).startsWith(Operation.WRITE, Status.OK);
            } else {
                write[write.length - 100] ^= 1;
            }
            long before = store.statistics().bytesWritten();
            web.pair.say(write);
            Await.until("the link has ended", web.pair::isClosed);
            assertThat(store.statistics().bytesWritten()).isEqualTo(before);
        }
    }

    @Test
    void beforeAnybodyIsKnownALinkHasSmallBuffersAndNothingToRead() throws Exception {
        MessagePeer web = peer(pool.issue(Role.SERVER, "web"));
        assertThat(web.pair.shapes).containsExactly(RdmaHandshake.COUNTS);
        int small =
                RdmaHandshake.COUNTS.frameBytes() * (RdmaHandshake.COUNTS.sends() + RdmaHandshake.COUNTS.receives());
        assertThat((long) small * Listener.MOST_HANDSHAKES).isLessThan(24 << 20);
        MessagePeer _ = web.ready();
        assertThat(web.pair.shapes).hasSize(2);
        assertThat(web.pair.shapes.getLast().frameBytes()).isEqualTo(MessageTls.sealedLength(RdmaLink.FRAME));
        assertThat(keys).isEmpty();
    }

    /** Memory before anybody is known: 128 handshakes, of which the oldest makes room for the next. */
    @Test
    void aFloodOfHalfHandshakesKeepsNobodyOut() throws Exception {
        List<MemoryPair> half = new ArrayList<>();
        byte[] hello = peer(null).next();
        for (int i = 0; i < Listener.MOST_HANDSHAKES + 40; i++) {
            MemoryPair pair = connect();
            if (i % 2 == 0) {
                pair.say(hello);
            }
            half.add(pair);
        }
        Await.until(
                "the oldest have made room",
                () -> half.stream().filter(pair -> !pair.isClosed()).count() <= Listener.MOST_HANDSHAKES);
        MessagePeer web = claim("web", "a");
        assertThat(web.status(RawLink.frame(Operation.PING, 1, 0, 0, 0, 0))).isEqualTo(Status.OK);
    }

    @Test
    void whatALinkWasShownToReadEndsWithTheLink() throws Exception {
        MessagePeer web = claim("web", "a");
        int key = expose(web, grant(web, 0)).key();
        assertThat(keys).containsExactly(key);
        web.pair.say(new byte[100]);
        Await.until("nothing is to be read any more", keys::isEmpty);
    }

    /** Of two that read one slab only the last was told that it was handed back. */
    @Test
    void eachLinkHasAKeyOfItsOwnAndAllEndWhenTheSlabIsHandedBack() throws Exception {
        MessagePeer one = claim("web", "a");
        MessagePeer two = claim("web", "a");
        int slab = grant(one, 0);
        int first = expose(one, slab).key();
        int second = expose(two, slab).key();
        assertThat(keys).containsExactlyInAnyOrder(first, second).hasSize(2);
        assertThat(ReplyHeader.status(one.ask(Operation.FREE, slab, 0, 0, Version.ofGrant(1, 1)), 0))
                .isEqualTo(Status.OK);
        Await.until("neither reads any more", keys::isEmpty);
        assertThat(ReplyHeader.status(two.ask(Operation.PING, 0, 0, 0, 0), 0)).isEqualTo(Status.OK);
    }

    @Test
    void aDonorWithoutAPoolAnswersTlsWithWhatDoesNotLookLikeTls() throws Exception {
        listen(null, Duration.ofMinutes(10));
        MessagePeer web = peer(pool.issue(Role.SERVER, "web"));
        web.pair.say(web.next());
        byte[] reply = web.heard();
        assertThat(reply[1]).isEqualTo(Status.BAD_REQUEST);
        assertThat(TlsProblem.beginsTls(reply[0], reply[1])).isFalse();
        ended(web.pair);
    }

    @Test
    void aDonorWithoutAPoolServesAsBefore() throws IOException, Exception {
        listen(null, Duration.ofMinutes(10));
        MemoryPair pair = connect();
        pair.say(RawLink.frame(Hellos.observe("a")));
        assertThat(pair.hear()).startsWith(Operation.HELLO, Status.OK);
        assertThat(pair.shapes).hasSize(1);
    }
}
