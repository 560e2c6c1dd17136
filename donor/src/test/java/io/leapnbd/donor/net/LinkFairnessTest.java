package io.leapnbd.donor.net;

import static io.leapnbd.donor.Pages.PAGE;
import static org.assertj.core.api.Assertions.assertThat;

import io.leapnbd.donor.Await;
import io.leapnbd.donor.Hellos;
import io.leapnbd.donor.Pages;
import io.leapnbd.donor.loop.LoopSettings;
import io.leapnbd.donor.protocol.Hello;
import io.leapnbd.donor.protocol.Operation;
import io.leapnbd.donor.protocol.Protocol;
import io.leapnbd.donor.protocol.RequestHeader;
import io.leapnbd.donor.protocol.Status;
import io.leapnbd.donor.protocol.Version;
import io.leapnbd.donor.store.Claim;
import io.leapnbd.donor.store.Exposure;
import io.leapnbd.donor.store.SlabStore;
import io.leapnbd.donor.store.StoreSettings;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.netty.channel.embedded.EmbeddedChannel;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Objects;
import java.util.Queue;
import java.util.Random;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.atomic.AtomicReference;
import org.junit.jupiter.api.Test;
import org.slf4j.LoggerFactory;

/** F9: what strangers, and servers that behave badly, cannot keep others from. */
class LinkFairnessTest {

    @Test
    void linksThatHaveClaimedNothingMakeRoomForAServer() throws Exception {
        try (TestDonor donor = new TestDonor(1, s -> s.withMaxLinks(3));
                RawLink mute = new RawLink(donor.address());
                RawLink observer = new RawLink(donor.address());
                RawLink claimed = RawLink.claim(donor.address(), "a", 1)) {
            assertThat(observer.hello(Hellos.observe("a")).helloReply().freeLinks())
                    .isEqualTo(2);
            try (RawLink server = RawLink.claim(donor.address(), "b", 1)) {
                // It was silent longest.
                assertThat(mute.endsWithoutAWord()).isTrue();
                assertThat(server.grant(0)).isPositive();
                assertThat(observer.ask(Operation.PING, 0, 0, 0, 0).status()).isEqualTo(Status.OK);
                try (RawLink second = RawLink.claim(donor.address(), "b", 1);
                        RawLink third = new RawLink(donor.address())) {
                    assertThat(observer.endsWithoutAWord()).isTrue();
                    // All that is left has claimed.
                    assertThat(third.endsWithoutAWord()).isTrue();
                    assertThat(second.ask(Operation.PING, 0, 0, 0, 0).status()).isEqualTo(Status.OK);
                    assertThat(claimed.ask(Operation.PING, 0, 0, 0, 0).status()).isEqualTo(Status.OK);
                }
            }
            assertThat(donor.server.statistics().evicted()).isEqualTo(2);
            assertThat(donor.server.statistics().turnedAway()).isEqualTo(1);
        }
    }

    @Test
    void anObserverThatIsSilentIsClosedLongBeforeAServer() throws Exception {
        try (TestDonor donor = new TestDonor(1, s -> s.withObserverTimeout(Duration.ofMillis(200)));
                RawLink server = RawLink.claim(donor.address(), "a", 1);
                RawLink observer = new RawLink(donor.address())) {
            assertThat(observer.hello(Hellos.observe("a")).status()).isEqualTo(Status.OK);
            assertThat(observer.endsWithoutAWord()).isTrue();
            assertThat(server.ask(Operation.PING, 0, 0, 0, 0).status()).isEqualTo(Status.OK);
            assertThat(donor.server.statistics().timeouts()).isEqualTo(1);
        }
    }

    @Test
    void halfARequestIsNotKeptForEver() throws Exception {
        try (TestDonor donor = new TestDonor(1, s -> s.withFrameTimeout(Duration.ofMillis(200)));
                RawLink half = RawLink.claim(donor.address(), "a", 1);
                RawLink whole = RawLink.claim(donor.address(), "b", 1)) {
            half.send(writeHeader(PAGE));
            assertThat(half.endsWithoutAWord()).isTrue();
            assertThat(whole.ask(Operation.PING, 0, 0, 0, 0).status()).isEqualTo(Status.OK);
        }
    }

    @Test
    void repliesThatNobodyReadsAreNotKeptForEver() throws Exception {
        try (TestDonor donor = new TestDonor(2, s -> s.withFrameTimeout(Duration.ofMillis(300)));
                RawLink deaf = RawLink.claim(donor.address(), "a", 1)) {
            int handle = deaf.grant(0);
            ByteArrayOutputStream burst = new ByteArrayOutputStream();
            for (int i = 0; i < 100; i++) {
                burst.write(RawLink.frame(Operation.READ, i, handle, 0, TestDonor.SLAB, 0));
            }
            deaf.send(burst.toByteArray());
            Await.until("the link is closed", () -> donor.server.statistics().openLinks() == 0);
            assertThat(donor.server.statistics().timeouts()).isEqualTo(1);
        }
    }

    /** Links that half-send large writes use up the shared memory; pages go on, and large writes as soon as those have timed out. */
    @Test
    void halfSentWritesDoNotKeepOthersFromTheirPages() throws Exception {
        try (TestDonor donor = new TestDonor(2, s -> s.withMemory(4 << 20).withFrameTimeout(Duration.ofSeconds(1)))) {
            List<RawLink> hogs = new ArrayList<>();
            try (RawLink server = RawLink.claim(donor.address(), "a", 1)) {
                int handle = server.grant(0);
                for (int i = 0; i < 8; i++) {
                    RawLink hog = RawLink.claim(donor.address(), "hog", 1);
                    hogs.add(hog);
                    hog.send(writeHeader(Protocol.MAX_PAYLOAD));
                    hog.send(new byte[1000]);
                }
                Await.until("hogs wait", () -> donor.server.statistics().pauses() > 0);
                assertThat(server.write(handle, 0, 1, Pages.array(1, PAGE))).isEqualTo(Status.OK);
                assertThat(server.read(handle, 0, PAGE)).isEqualTo(Pages.array(1, PAGE));
                byte[] large = Pages.array(2, Protocol.MAX_PAYLOAD);
                assertThat(server.write(handle, 0, 2, large)).isEqualTo(Status.OK);
                assertThat(server.read(handle, 0, Protocol.MAX_PAYLOAD)).isEqualTo(large);
                Await.until("the hogs are gone", () -> donor.server.statistics().openLinks() == 1);
            } finally {
                for (RawLink hog : hogs) {
                    hog.close();
                }
            }
        }
    }

    /** Many links that read large ranges share what there is, and all get theirs. */
    @Test
    void moreReadersThanThereIsMemoryForAreAllServed() throws Exception {
        try (TestDonor donor = new TestDonor(1, s -> s.withMemory(4 << 20).withLoops(LoopSettings.of(1)));
                RawLink server = RawLink.claim(donor.address(), "a", 1)) {
            int handle = server.grant(0);
            byte[] bytes = Pages.array(3, TestDonor.SLAB);
            assertThat(server.write(handle, 0, 1, bytes)).isEqualTo(Status.OK);
            Queue<Throwable> failures = new ConcurrentLinkedQueue<>();
            List<Thread> readers = new ArrayList<>();
            for (int i = 0; i < 12; i++) {
                readers.add(Thread.ofPlatform().start(() -> {
                    try {
                        readMuch(donor, handle, bytes);
                    } catch (Throwable e) {
                        failures.add(e);
                    }
                }));
            }
            for (Thread reader : readers) {
                reader.join();
            }
            assertThat(failures).isEmpty();
            assertThat(server.read(handle, 0, PAGE)).hasSize(PAGE);
        }
    }

    private static void readMuch(TestDonor donor, int handle, byte[] expected) throws Exception {
        try (RawLink reader = RawLink.claim(donor.address(), "a", 1)) {
            for (int n = 0; n < 8; n++) {
                reader.send(RawLink.frame(Operation.READ, n, handle, 0, TestDonor.SLAB, 0));
            }
            for (int n = 0; n < 8; n++) {
                RawLink.Reply reply = reader.receive();
                assertThat(reply.cookie()).isEqualTo(n);
                assertThat(Arrays.equals(reply.payload(), expected)).isTrue();
            }
        }
    }

    /** F6, F9: a flood of requests that cost much and say little is done in many turns of the loop. */
    @Test
    void aFloodOfTrimsAndMarksLetsOthersOfItsLoopComeIn() throws Exception {
        int slab = 64 << 20;
        for (byte operation : new byte[] {Operation.TRIM, Operation.PAGES, Operation.LIST}) {
            try (SlabStore store =
                    SlabStore.open(StoreSettings.ofMemory(slab, slab).withReadySlabs(0))) {
                LinkMemory memory = new LinkMemory(ServerSettings.DEFAULT_MEMORY);
                EmbeddedChannel channel = channel(store, memory);
                ByteBuf opening = Unpooled.directBuffer();
                opening.writeBytes(RawLink.frame(Hellos.claim("a", 1)));
                opening.writeBytes(RawLink.frame(Operation.GRANT, 0, 0, 0, 0, Version.ofGrant(1, 0)));
                channel.writeInbound(opening);
                drain(channel);
                int requests = 40;
                ByteBuf flood = Unpooled.directBuffer();
                for (int i = 1; i <= requests; i++) {
                    int handle = operation == Operation.LIST ? 0 : 1;
                    flood.writeBytes(RawLink.frame(operation, i, handle, 0, slab, i));
                }
                channel.pipeline().fireChannelRead(flood);
                int inFirstTurn = drain(channel);
                assertThat(inFirstTurn).isBetween(1, requests / 4);
                int all = inFirstTurn;
                for (int turn = 0; turn < requests && all < requests; turn++) {
                    channel.runPendingTasks();
                    all += drain(channel);
                }
                assertThat(all).isEqualTo(requests);
                channel.finishAndReleaseAll();
                assertThat(memory.free()).isEqualTo(ServerSettings.DEFAULT_MEMORY);
            }
        }
    }

    /** Hellos, grants and notes take the lock that all links share. A turn of thousands would keep the others of the loop waiting. */
    @Test
    void aFloodOfHellosGrantsAndNotesLetsOthersOfItsLoopComeIn() throws Exception {
        for (byte operation : new byte[] {Operation.HELLO, Operation.GRANT, Operation.FREE, Operation.NOTE}) {
            try (SlabStore store =
                    SlabStore.open(StoreSettings.ofMemory(4 << 20, 1 << 20).withReadySlabs(0))) {
                LinkMemory memory = new LinkMemory(ServerSettings.DEFAULT_MEMORY);
                EmbeddedChannel channel = channel(store, memory);
                if (operation != Operation.HELLO) {
                    channel.writeInbound(Unpooled.directBuffer().writeBytes(RawLink.frame(Hellos.claim("a", 1))));
                    drain(channel);
                }
                int requests = 4_000;
                ByteBuf flood = Unpooled.directBuffer();
                for (int i = 1; i <= requests; i++) {
                    flood.writeBytes(
                            operation == Operation.HELLO
                                    ? RawLink.frame(Hellos.observe("a"))
                                    : RawLink.frame(operation, i, i, 0, 0, Version.ofGrant(1, i)));
                }
                channel.pipeline().fireChannelRead(flood);
                int inFirstTurn = drain(channel);
                assertThat(inFirstTurn).as("operation %s", operation).isBetween(1, requests / 4);
                int all = inFirstTurn;
                for (int turn = 0; turn < requests && all < requests; turn++) {
                    channel.runPendingTasks();
                    all += drain(channel);
                }
                assertThat(all).isEqualTo(requests);
                channel.finishAndReleaseAll();
                assertThat(memory.free()).isEqualTo(ServerSettings.DEFAULT_MEMORY);
            }
        }
    }

    /** Strangers who half-send the longest hellos have a quarter of the memory: a server writes and reads 1 MiB meanwhile. */
    @Test
    void halfSentHellosDoNotKeepAServerFromLargeWrites() throws Exception {
        List<RawLink> strangers = new ArrayList<>();
        Duration never = Duration.ofHours(1);
        try (TestDonor donor = new TestDonor(
                        2,
                        s -> s.withMemory(4 << 20)
                                .withTimeouts(never, never, Duration.ofSeconds(2))
                                .withFrameTimeout(never));
                RawLink server = RawLink.claim(donor.address(), "a", 1)) {
            int handle = server.grant(0);
            byte[] header = RawLink.frame(Operation.HELLO, 1, 0, 0, 0, 0);
            ByteBuffer.wrap(header).putInt(20, Hello.MAX_LENGTH);
            for (int i = 0; i < 80; i++) {
                RawLink stranger = new RawLink(donor.address());
                strangers.add(stranger);
                stranger.send(header);
                stranger.send(new byte[100]);
            }
            Await.until(
                    "strangers are pushed out", () -> donor.server.statistics().evicted() > 0);
            byte[] large = Pages.array(2, Protocol.MAX_PAYLOAD);
            for (int i = 1; i <= 4; i++) {
                assertThat(server.write(handle, 0, i, large)).isEqualTo(Status.OK);
                assertThat(server.read(handle, 0, Protocol.MAX_PAYLOAD)).isEqualTo(large);
            }
            assertThat(donor.server.statistics().timeouts()).isZero();
            // And another server comes in.
            try (RawLink second = RawLink.claim(donor.address(), "b", 2)) {
                assertThat(second.grant(0)).isPositive();
            }
        } finally {
            for (RawLink stranger : strangers) {
                stranger.close();
            }
        }
    }

    private static EmbeddedChannel channel(SlabStore store, LinkMemory memory) {
        EmbeddedChannel channel = new EmbeddedChannel();
        channel.pipeline()
                .addLast(new LinkHandler(
                        new Listener(
                                store,
                                ServerSettings.listenOn(new InetSocketAddress(0)),
                                new ServerCounters(),
                                new LinkPlaces(1),
                                memory,
                                null,
                                new LimitedLog(LoggerFactory.getLogger(LinkFairnessTest.class))),
                        channel));
        return channel;
    }

    /** Has a link claim the export and be granted a slab, whose handle is 1; answers another link's claim. */
    private static Claim claimAndGrant(EmbeddedChannel link, SlabStore store) {
        ByteBuf opening = Unpooled.directBuffer();
        opening.writeBytes(RawLink.frame(Hellos.claim("a", 1)));
        opening.writeBytes(RawLink.frame(Operation.GRANT, 0, 0, 0, 0, Version.ofGrant(1, 0)));
        link.writeInbound(opening);
        return Objects.requireNonNull(
                store.hello(Hello.join("a", 1, 1, Hellos.instance(1))).claim());
    }

    /** A trim of a slab that is exposed zeroes its bytes: 1 GiB of them took a quarter of a second, in one turn. */
    @Test
    void aTrimOfALargeExposedSlabIsDoneInManyTurnsAndOthersAreServedBetween() throws Exception {
        int slab = 64 << 20;
        LinkMemory memory = new LinkMemory(ServerSettings.DEFAULT_MEMORY);
        try (SlabStore store = SlabStore.open(StoreSettings.ofMemory(slab, slab).withReadySlabs(0))) {
            EmbeddedChannel trimmer = channel(store, memory);
            Claim other = claimAndGrant(trimmer, store);
            for (int offset : new int[] {0, slab / 2, slab - PAGE}) {
                ByteBuf bytes = Unpooled.directBuffer().writeBytes(Pages.array(7, PAGE));
                assertThat(store.write(other, 1, offset, PAGE, 1, bytes, 0)).isEqualTo(Status.OK);
                bytes.release();
            }
            Exposure exposure = store.exposures().expose(other, 1, () -> {});
            drain(trimmer);

            ByteBuf trim = Unpooled.directBuffer();
            trim.writeBytes(RawLink.frame(Operation.TRIM, 1, 1, 100, slab - 200, 2));
            trim.writeBytes(RawLink.frame(Operation.PING, 2, 0, 0, 0, 0));
            trimmer.pipeline().fireChannelRead(trim);
            assertThat(drain(trimmer)).as("replies after the first turn").isZero();
            ByteBuf newer = Unpooled.directBuffer().writeBytes(Pages.array(8, PAGE));
            assertThat(store.write(other, 1, PAGE, PAGE, 3, newer, 0)).isEqualTo(Status.OK);
            assertThat(store.write(other, 1, slab / 2 + PAGE, PAGE, 3, newer, 0))
                    .isEqualTo(Status.OK);
            newer.release();
            int turns = 1;
            while (drain(trimmer) == 0) {
                trimmer.runPendingTasks();
                turns++;
                assertThat(turns).isLessThan(1000);
            }

            assertThat(turns).isGreaterThan(8);
            byte[] first = new byte[PAGE];
            System.arraycopy(Pages.array(7, PAGE), 0, first, 0, 100);
            byte[] last = new byte[PAGE];
            System.arraycopy(Pages.array(7, PAGE), PAGE - 100, last, PAGE - 100, 100);
            assertThat(read(store, other, 0)).isEqualTo(first);
            assertThat(read(store, other, PAGE)).isEqualTo(Pages.array(8, PAGE));
            assertThat(read(store, other, slab / 2)).containsOnly(0);
            assertThat(read(store, other, slab / 2 + PAGE)).isEqualTo(Pages.array(8, PAGE));
            assertThat(read(store, other, slab - PAGE)).isEqualTo(last);
            assertThat(store.statistics().trims()).isEqualTo(1);
            exposure.close();
            trimmer.finishAndReleaseAll();
            assertThat(memory.free()).isEqualTo(ServerSettings.DEFAULT_MEMORY);
        }
    }

    /** A request that came in two pieces is in no receive buffer any more: that more arrives is not what it waits for. */
    @Test
    void aLongTrimThatCameInPiecesGoesOnAlthoughNothingMoreArrives() throws Exception {
        int slab = 64 << 20;
        LinkMemory memory = new LinkMemory(ServerSettings.DEFAULT_MEMORY);
        try (SlabStore store = SlabStore.open(StoreSettings.ofMemory(slab, slab).withReadySlabs(0))) {
            EmbeddedChannel trimmer = channel(store, memory);
            Claim other = claimAndGrant(trimmer, store);
            Exposure exposure = store.exposures().expose(other, 1, () -> {});
            drain(trimmer);

            byte[] trim = RawLink.frame(Operation.TRIM, 1, 1, 0, slab, 2);
            trimmer.pipeline().fireChannelRead(Unpooled.directBuffer().writeBytes(trim, 0, 10));
            trimmer.pipeline().fireChannelRead(Unpooled.directBuffer().writeBytes(trim, 10, trim.length - 10));
            assertThat(drain(trimmer)).as("replies after the first turn").isZero();
            int turns = 1;
            while (drain(trimmer) == 0) {
                trimmer.runPendingTasks();
                turns++;
                assertThat(turns).isLessThan(1000);
            }
            assertThat(turns).isGreaterThan(8);
            assertThat(store.statistics().trims()).isEqualTo(1);
            exposure.close();
            trimmer.finishAndReleaseAll();
            assertThat(memory.free()).isEqualTo(ServerSettings.DEFAULT_MEMORY);
        }
    }

    private static byte[] read(SlabStore store, Claim claim, int offset) {
        ByteBuf into = Unpooled.directBuffer(PAGE).writeZero(PAGE);
        assertThat(store.read(claim, 1, offset, PAGE, into, 0)).isEqualTo(Status.OK);
        byte[] bytes = new byte[PAGE];
        into.getBytes(0, bytes);
        into.release();
        return bytes;
    }

    /**
     * A link that goes on with much work lets the loop look at its sockets. As a plain task it did not: a loop takes up such tasks for as
     * long as there are some, up to a second.
     */
    @Test
    void betweenTwoTurnsOfALinkWithMuchWorkTheLoopLooksAtItsSockets() throws Exception {
        int requests = 400;
        AtomicReference<Runnable> onLoop = new AtomicReference<>(() -> {});
        StoreSettings settings = StoreSettings.ofMemory(TestDonor.SLAB, TestDonor.SLAB)
                .withReadySlabs(0)
                .withNanoClock(() -> {
                    onLoop.getAndSet(() -> {}).run();
                    return System.nanoTime();
                });
        try (SlabStore store = SlabStore.open(settings);
                DonorServer server = DonorServer.start(
                        store,
                        ServerSettings.listenOn(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0))
                                .withLoops(LoopSettings.of(1)));
                RawLink busy = RawLink.claim(server.address(), "a", 1);
                RawLink other = RawLink.claim(server.address(), "b", 1)) {
            int handle = other.grant(0);
            // Each list is as much work as a turn has.
            ByteArrayOutputStream flood = new ByteArrayOutputStream();
            for (int i = 0; i < requests; i++) {
                flood.write(RawLink.frame(Operation.LIST, i, 0, 0, 0, 0));
            }
            // When the loop has begun with the flood, the other link gives its slab back.
            onLoop.set(() -> {
                try {
                    other.send(RawLink.frame(Operation.FREE, 1, handle, 0, 0, other.grantVersion()));
                } catch (IOException e) {
                    throw new AssertionError(e);
                }
            });
            busy.send(flood.toByteArray());
            int before = 0;
            while (before < requests && busy.receive().freeSlabs() == 0) {
                before++;
            }
            // The kernel may take a moment to hand the bytes over.
            assertThat(before).as("lists before the other link had its turn").isLessThan(32);
        }
    }

    /** How many replies were sent. */
    private static int drain(EmbeddedChannel channel) {
        int replies = 0;
        ByteBuf some = channel.readOutbound();
        while (some != null) {
            while (some.isReadable()) {
                some.skipBytes(16 + some.getInt(some.readerIndex() + 8));
                replies++;
            }
            some.release();
            some = channel.readOutbound();
        }
        return replies;
    }

    private static byte[] writeHeader(int payload) {
        byte[] frame = RawLink.frame(Operation.WRITE, 1, 0, 0, payload, 1);
        assertThat(frame).hasSize(RequestHeader.LENGTH);
        ByteBuffer.wrap(frame).putInt(20, payload);
        return frame;
    }

    @Test
    void largeWritesThatArriveInPiecesAreWhole() throws Exception {
        try (TestDonor donor = new TestDonor(2, s -> s);
                RawLink link = RawLink.claim(donor.address(), "a", 1)) {
            int handle = link.grant(0);
            Random random = new Random(7);
            byte[] expected = new byte[256 << 10];
            for (int round = 1; round <= 20; round++) {
                byte[] data = new byte[(1 + random.nextInt(32)) * PAGE];
                random.nextBytes(data);
                int at = random.nextInt(expected.length / PAGE - data.length / PAGE + 1) * PAGE;
                System.arraycopy(data, 0, expected, at, data.length);
                ByteArrayOutputStream both = new ByteArrayOutputStream();
                both.write(RawLink.frame(Operation.WRITE, round, handle, at, data.length, round, data));
                both.write(RawLink.frame(Operation.READ, round, handle, 0, expected.length, 0));
                byte[] bytes = both.toByteArray();
                // The header by itself, or with a little; then all but the end; then the end with what is behind it.
                int first = RequestHeader.LENGTH + random.nextInt(2) * random.nextInt(data.length);
                int second = first + random.nextInt(bytes.length - first);
                link.send(bytes, 0, first);
                Thread.sleep(5); // It arrives by itself then; what is asserted does not depend on it.
                link.send(bytes, first, second - first);
                Thread.sleep(5); // It arrives by itself then; what is asserted does not depend on it.
                link.send(bytes, second, bytes.length - second);
                assertThat(link.receive().status()).isEqualTo(Status.OK);
                assertThat(link.receive().payload()).isEqualTo(expected);
            }
        }
    }
}
