package io.leapnbd.donor.net;

import static org.assertj.core.api.Assertions.assertThat;

import com.code_intelligence.jazzer.junit.FuzzTest;
import io.leapnbd.donor.Hellos;
import io.leapnbd.donor.protocol.Operation;
import io.leapnbd.donor.protocol.Protocol;
import io.leapnbd.donor.protocol.ReplyHeader;
import io.leapnbd.donor.protocol.Status;
import io.leapnbd.donor.protocol.Version;
import io.leapnbd.donor.store.SlabStore;
import io.leapnbd.donor.store.StoreSettings;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.netty.buffer.UnpooledByteBufAllocator;
import io.netty.channel.embedded.EmbeddedChannel;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.nio.ByteBuffer;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * What any peer may send: the donor answers in whole replies or closes, and holds no memory afterwards. Runs the seeds beside
 * it as ordinary tests; with {@code JAZZER_FUZZ=1} it looks for more.
 *
 * <p>The first byte of an input says in what pieces the rest arrives.
 */
class LinkFuzzTest {

    private static final Logger LOG = LoggerFactory.getLogger(LinkFuzzTest.class);
    private static final int SLABS = 2;

    private final UnpooledByteBufAllocator allocator = new UnpooledByteBufAllocator(true);

    @FuzzTest(maxDuration = "1m")
    void opening(byte[] input) throws IOException {
        checkReplies(run(Unpooled.EMPTY_BUFFER, input), 0);
    }

    @FuzzTest(maxDuration = "1m")
    void requests(byte[] input) throws IOException {
        ByteBuf opened = Unpooled.buffer();
        opened.writeBytes(RawLink.frame(Hellos.claim("a", 1)));
        opened.writeBytes(RawLink.frame(Operation.GRANT, 0, 0, 0, 0, Version.ofGrant(1, 0)));
        checkReplies(run(opened, input), 2);
    }

    /** All that is sent is whole replies; at least so many, of which the first are good; nothing follows one that ends the link. */
    private static void checkReplies(ByteBuf sent, int good) {
        int replies = 0;
        boolean ended = false;
        while (sent.isReadable()) {
            assertThat(ended).isFalse();
            assertThat(sent.readableBytes()).isGreaterThanOrEqualTo(ReplyHeader.LENGTH);
            int at = sent.readerIndex();
            byte status = ReplyHeader.status(sent, at);
            int payload = ReplyHeader.payload(sent, at);
            assertThat(status).isBetween(Status.OK, Status.PAGE_LOST);
            assertThat(payload).isBetween(0, Protocol.MAX_PAYLOAD);
            assertThat(ReplyHeader.freeSlabs(sent, at)).isBetween(0, SLABS);
            boolean hello = ReplyHeader.operation(sent, at) == Operation.HELLO;
            boolean described = hello && (status == Status.FENCED || status == Status.CONFLICT);
            if (replies < good || (payload > 0 && !described)) {
                assertThat(status).isEqualTo(Status.OK);
            }
            ended = LinkRequests.ends(status, ReplyHeader.operation(sent, at));
            sent.skipBytes(ReplyHeader.LENGTH + payload);
            replies++;
        }
        assertThat(replies).isGreaterThanOrEqualTo(good);
        sent.release();
    }

    /** Lets a link receive {@code opening} and the input, and returns all that it sent. */
    private ByteBuf run(ByteBuf opening, byte[] input) throws IOException {
        try (SlabStore store =
                SlabStore.open(StoreSettings.ofMemory(SLABS * Protocol.MIN_SLAB_SIZE, Protocol.MIN_SLAB_SIZE)
                        .withReadySlabs(0))) {
            EmbeddedChannel channel = new EmbeddedChannel();
            channel.config().setAllocator(allocator);
            ServerSettings settings = ServerSettings.listenOn(new InetSocketAddress(0));
            LinkMemory memory = new LinkMemory(settings.memory());
            channel.pipeline()
                    .addLast(new LinkHandler(
                            new Listener(
                                    store,
                                    settings,
                                    new ServerCounters(),
                                    new LinkPlaces(settings.maxLinks()),
                                    memory,
                                    null,
                                    new LimitedLog(LOG)),
                            channel));
            ByteBuf sent = Unpooled.buffer();
            if (opening.isReadable()) {
                channel.writeInbound(received(opening.readableBytes()).writeBytes(opening));
                collect(channel, sent);
            }
            ByteBuffer rest = ByteBuffer.wrap(input);
            int piece = rest.hasRemaining() ? 1 + Byte.toUnsignedInt(rest.get()) * 16 : 1;
            while (rest.hasRemaining() && channel.isOpen()) {
                byte[] part = new byte[Math.min(piece, rest.remaining())];
                rest.get(part);
                channel.writeInbound(received(part.length).writeBytes(part));
                channel.runPendingTasks();
                collect(channel, sent);
            }
            assertThat(store.statistics().lentSlabs()).isBetween(0, SLABS);
            channel.finish();
            channel.runPendingTasks();
            collect(channel, sent);
            channel.checkException();
            assertThat(memory.free()).isEqualTo(settings.memory());
            assertThat(allocator.metric().usedDirectMemory()).isZero();
            assertThat(allocator.metric().usedHeapMemory()).isZero();
            assertThat(store.statistics().exports())
                    .allSatisfy(export -> assertThat(export.links()).isZero());
            return sent;
        }
    }

    private ByteBuf received(int length) {
        return allocator.directBuffer(length);
    }

    private static void collect(EmbeddedChannel channel, ByteBuf into) {
        ByteBuf some = channel.readOutbound();
        while (some != null) {
            into.writeBytes(some);
            some.release();
            some = channel.readOutbound();
        }
    }
}
