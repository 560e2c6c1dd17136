package io.leapnbd.nbd.server;

import static io.leapnbd.nbd.protocol.Negotiation.*;
import static io.leapnbd.nbd.protocol.Transmission.*;
import static org.assertj.core.api.Assertions.assertThat;

import io.leapnbd.nbd.spi.BlockDevice;
import io.leapnbd.nbd.spi.Completion;
import io.leapnbd.nbd.spi.DeviceQueue;
import io.leapnbd.nbd.testing.ForwardingQueue;
import io.leapnbd.nbd.testing.MemoryDevice;
import io.leapnbd.nbd.testing.RawClient;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.netty.buffer.UnpooledByteBufAllocator;
import io.netty.channel.ChannelDuplexHandler;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.EventLoop;
import io.netty.channel.EventLoopGroup;
import io.netty.channel.MultiThreadIoEventLoopGroup;
import io.netty.channel.embedded.EmbeddedChannel;
import io.netty.channel.local.LocalIoHandler;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** How often a connection flushes, which is how often it makes a system call. */
class TurnTest {

    /** Without threads, as long as nobody gives them anything to do. */
    private static final EventLoopGroup NO_LOOPS = new MultiThreadIoEventLoopGroup(1, LocalIoHandler.newFactory());

    private static final String RELEASE = "release";

    private final UnpooledByteBufAllocator allocator = new UnpooledByteBufAllocator(true);
    private final List<Runnable> held = new ArrayList<>();
    private final EmbeddedChannel channel = new EmbeddedChannel();
    private boolean holding;
    private int flushes;
    private int ends;

    @BeforeEach
    void open() {
        NbdServerContext context =
                new NbdServerContext().group(NO_LOOPS).allocator(allocator).export("", new HoldingDevice());
        context.conclude();
        ServerCore core = new ServerCore(context);
        Connection connection = new Connection(core.nextId(), channel, core, new Peer("a test", "here"));
        channel.pipeline().addLast(new Front()).addLast(connection);
        connection.channelActive(channel.pipeline().lastContext());
        channel.writeInbound(Unpooled.copyInt(FLAG_FIXED_NEWSTYLE));
        channel.writeInbound(Unpooled.wrappedBuffer(RawClient.optionBytes(OPT_GO, RawClient.goData(""))));
        replies();
        flushes = 0;
        ends = 0;
    }

    @AfterEach
    void close() {
        channel.finish();
        assertThat(allocator.metric().usedDirectMemory()).isZero();
    }

    private void sendReads(int count) {
        ByteBuf requests = Unpooled.buffer();
        for (int i = 0; i < count; i++) {
            requests.writeBytes(RawClient.requestBytes(REQUEST_MAGIC, 0, 0, i, 0, 512));
        }
        channel.writeInbound(requests);
    }

    private int replies() {
        int count = 0;
        for (ByteBuf some = channel.readOutbound(); some != null; some = channel.readOutbound()) {
            some.release();
            count++;
        }
        return count;
    }

    @Test
    void whatCompletesInTheTurnThatAskedLeavesWithOneFlush() {
        sendReads(20);
        assertThat(replies()).isEqualTo(20);
        assertThat(flushes).isEqualTo(1);
        assertThat(ends).isEqualTo(1);
    }

    @Test
    void aFloodOfWhatCompletesAtOnceIsDoneInSeveralTurns() {
        // F6: others of the loop have theirs in between.
        sendReads(4000);
        assertThat(replies()).isEqualTo(4000);
        assertThat(ends).isGreaterThanOrEqualTo(4);
    }

    @Test
    void whatCompletesLaterInOneTurnLeavesWithOneFlush() {
        holding = true;
        sendReads(20);
        assertThat(flushes).isZero();
        assertThat(ends).isEqualTo(1);
        channel.writeInbound(RELEASE);
        assertThat(replies()).isEqualTo(20);
        assertThat(flushes).isEqualTo(1);
    }

    @Test
    void aLoneCompletionLeavesAtTheEndOfItsTurn() {
        holding = true;
        sendReads(2);
        for (Runnable one : held) {
            one.run();
            channel.runPendingTasks();
            assertThat(replies()).isEqualTo(1);
        }
        assertThat(flushes).isEqualTo(2);
    }

    /** Counts flushes, and lets what was held back complete in a turn that is not the connection's own. */
    private final class Front extends ChannelDuplexHandler {

        private boolean foreign;

        @Override
        public void channelRead(ChannelHandlerContext ctx, Object msg) {
            foreign = RELEASE.equals(msg);
            if (foreign) {
                held.forEach(Runnable::run);
            } else {
                ctx.fireChannelRead(msg);
            }
        }

        @Override
        public void channelReadComplete(ChannelHandlerContext ctx) {
            if (!foreign) {
                ctx.fireChannelReadComplete();
            }
        }

        @Override
        public void flush(ChannelHandlerContext ctx) {
            flushes++;
            ctx.flush();
        }
    }

    /** Memory whose requests a test can keep back. */
    private final class HoldingDevice implements BlockDevice {

        private final MemoryDevice memory = new MemoryDevice(1 << 20);

        @Override
        public long size() {
            return memory.size();
        }

        @Override
        public DeviceQueue open(EventLoop loop) {
            return new ForwardingQueue(memory.open(loop)) {
                @Override
                protected void submit(Completion completion, Runnable request) {
                    if (holding) {
                        held.add(request);
                    } else {
                        request.run();
                    }
                }

                @Override
                public void endOfTurn() {
                    ends++;
                }
            };
        }
    }
}
