package io.leapnbd.nbd.server;

import static io.leapnbd.nbd.protocol.Negotiation.*;
import static io.leapnbd.nbd.protocol.Transmission.*;
import static org.assertj.core.api.Assertions.assertThat;

import com.code_intelligence.jazzer.junit.FuzzTest;
import io.leapnbd.nbd.spi.BlockDevice;
import io.leapnbd.nbd.spi.DeviceQueue;
import io.leapnbd.nbd.testing.MemoryDevice;
import io.leapnbd.nbd.testing.RawClient;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.netty.buffer.UnpooledByteBufAllocator;
import io.netty.channel.EventLoop;
import io.netty.channel.EventLoopGroup;
import io.netty.channel.MultiThreadIoEventLoopGroup;
import io.netty.channel.embedded.EmbeddedChannel;
import io.netty.channel.local.LocalIoHandler;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;

/**
 * What any client may send: the server answers in the protocol's terms or closes, touches nothing outside the export, and
 * holds no memory afterwards. Runs the seeds beside it as ordinary tests; with {@code JAZZER_FUZZ=1} it looks for more.
 *
 * <p>The first byte of an input says in what pieces the rest arrives.
 */
class ProtocolFuzzTest {

    /** Without threads, as long as nobody gives them anything to do. */
    private static final EventLoopGroup NO_LOOPS = new MultiThreadIoEventLoopGroup(1, LocalIoHandler.newFactory());

    private static final int SIZE = 256 << 10;

    private final UnpooledByteBufAllocator allocator = new UnpooledByteBufAllocator(true);
    private final List<Throwable> faults = new ArrayList<>();

    @FuzzTest(maxDuration = "2m")
    void handshake(byte[] input) {
        ByteBuf sent = run(Unpooled.EMPTY_BUFFER, input);
        assertThat(sent.readLong()).isEqualTo(GREETING_MAGIC);
        assertThat(sent.readLong()).isEqualTo(OPTION_MAGIC);
        sent.readShort();
        boolean opened = false;
        boolean structured = false;
        while (sent.isReadable() && !opened) {
            if (sent.readableBytes() < Long.BYTES || sent.getLong(sent.readerIndex()) != OPTION_REPLY_MAGIC) {
                // The answer to EXPORT_NAME has no magic number.
                assertThat(sent.readLong()).isEqualTo(SIZE);
                assertThat(sent.readShort() & HAS_FLAGS).isEqualTo(HAS_FLAGS);
                return;
            }
            sent.readLong();
            int option = sent.readInt();
            int type = sent.readInt();
            sent.skipBytes(sent.readInt());
            opened = option == OPT_GO && type == REP_ACK;
            structured |= option == OPT_STRUCTURED_REPLY && type == REP_ACK;
        }
        if (structured) {
            // Where a simple reply's data ends cannot be told without its request.
            checkReplies(sent);
        }
        sent.release();
    }

    @FuzzTest(maxDuration = "2m")
    void transmission(byte[] input) {
        ByteBuf opening = Unpooled.buffer();
        opening.writeInt(FLAG_FIXED_NEWSTYLE | FLAG_NO_ZEROES);
        opening.writeBytes(RawClient.optionBytes(OPT_STRUCTURED_REPLY));
        opening.writeBytes(RawClient.optionBytes(OPT_SET_META_CONTEXT, RawClient.contextData("", BASE_ALLOCATION)));
        opening.writeBytes(RawClient.optionBytes(OPT_GO, RawClient.goData("")));
        ByteBuf sent = run(opening, input);
        sent.skipBytes(GREETING_SIZE);
        while (sent.readableBytes() >= Long.BYTES && sent.getLong(sent.readerIndex()) == OPTION_REPLY_MAGIC) {
            sent.skipBytes(16);
            sent.skipBytes(sent.readInt());
        }
        checkReplies(sent);
        sent.release();
    }

    /** All that the server sends is whole replies. */
    private static void checkReplies(ByteBuf sent) {
        while (sent.isReadable()) {
            int magic = sent.readInt();
            if (magic == SIMPLE_REPLY_MAGIC) {
                sent.skipBytes(SIMPLE_REPLY_SIZE - Integer.BYTES);
            } else {
                assertThat(magic).isEqualTo(STRUCTURED_REPLY_MAGIC);
                assertThat(sent.readUnsignedShort()).isEqualTo(CHUNK_FLAG_DONE);
                assertThat(sent.readUnsignedShort())
                        .isIn(CHUNK_NONE, CHUNK_OFFSET_DATA, CHUNK_BLOCK_STATUS, CHUNK_ERROR);
                sent.readLong();
                int length = sent.readInt();
                assertThat(length).isBetween(0, SIZE + Long.BYTES);
                sent.skipBytes(length);
            }
        }
    }

    /** Lets a connection receive {@code opening} and the input, and returns all that it sent. */
    private ByteBuf run(ByteBuf opening, byte[] input) {
        NbdServerContext context = new NbdServerContext()
                .group(NO_LOOPS)
                .allocator(allocator)
                .export("fuzzed", new Strict(new MemoryDevice(SIZE)));
        context.conclude();
        ServerCore core = new ServerCore(context);
        EmbeddedChannel channel = new EmbeddedChannel();
        Connection connection = new Connection(core.nextId(), channel, core, new Peer("the fuzzer", "here"));
        assertThat(core.admit(connection)).isTrue();
        channel.pipeline().addLast(connection);
        connection.channelActive(channel.pipeline().lastContext());
        ByteBuf sent = Unpooled.buffer();
        if (opening.isReadable()) {
            channel.writeInbound(opening);
        }
        ByteBuffer rest = ByteBuffer.wrap(input);
        int piece = rest.hasRemaining() ? 1 + Byte.toUnsignedInt(rest.get()) * 16 : 1;
        while (rest.hasRemaining() && channel.isOpen()) {
            byte[] part = new byte[Math.min(piece, rest.remaining())];
            rest.get(part);
            channel.writeInbound(Unpooled.wrappedBuffer(part));
            channel.runPendingTasks();
            collect(channel, sent);
        }
        channel.finish();
        channel.runPendingTasks();
        collect(channel, sent);
        assertThat(faults).isEmpty();
        assertThat(core.drained()).isTrue();
        assertThat(core.budget().used()).isZero();
        assertThat(allocator.metric().usedDirectMemory()).isZero();
        return sent;
    }

    private static void collect(EmbeddedChannel channel, ByteBuf into) {
        ByteBuf some = channel.readOutbound();
        while (some != null) {
            into.writeBytes(some);
            some.release();
            some = channel.readOutbound();
        }
    }

    /** Remembers what a device must never be asked. */
    private final class Strict implements BlockDevice {

        private final BlockDevice device;

        private Strict(BlockDevice device) {
            this.device = device;
        }

        @Override
        public long size() {
            return device.size();
        }

        @Override
        public DeviceQueue open(EventLoop loop) {
            return StrictQueue.of(device.open(loop), device.size(), faults);
        }
    }
}
