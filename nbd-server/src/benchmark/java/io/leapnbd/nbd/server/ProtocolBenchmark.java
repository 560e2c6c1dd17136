package io.leapnbd.nbd.server;

import static io.leapnbd.nbd.protocol.Transmission.REQUEST_MAGIC;
import static io.leapnbd.nbd.protocol.Transmission.REQUEST_SIZE;

import io.leapnbd.nbd.spi.BlockDevice;
import io.leapnbd.nbd.spi.Command;
import io.leapnbd.nbd.spi.Completion;
import io.leapnbd.nbd.spi.DeviceQueue;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.PooledByteBufAllocator;
import io.netty.channel.EventLoop;
import io.netty.channel.EventLoopGroup;
import io.netty.channel.MultiThreadIoEventLoopGroup;
import io.netty.channel.embedded.EmbeddedChannel;
import io.netty.channel.local.LocalIoHandler;
import io.netty.util.concurrent.DefaultThreadFactory;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Fork;
import org.openjdk.jmh.annotations.Measurement;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OperationsPerInvocation;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;
import org.openjdk.jmh.annotations.Warmup;
import org.openjdk.jmh.profile.GCProfiler;
import org.openjdk.jmh.runner.Runner;
import org.openjdk.jmh.runner.RunnerException;
import org.openjdk.jmh.runner.options.OptionsBuilder;

/**
 * What the protocol takes of a request, in nanoseconds and bytes allocated: its header decoded, the reply encoded and handed to
 * the channel, which is none but a queue here. The device does nothing.
 */
@State(Scope.Thread)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.NANOSECONDS)
@Warmup(iterations = 3, time = 1)
@Measurement(iterations = 5, time = 1)
@Fork(1)
public class ProtocolBenchmark {

    private static final int BATCH = 32;
    private static final int PAGE = 4096;

    /** What is asked for. */
    @Param({"READ", "WRITE", "TRIM"})
    public Command command = Command.READ;

    private final EventLoopGroup group = new MultiThreadIoEventLoopGroup(1, LocalIoHandler.newFactory());
    private final EmbeddedChannel channel = new EmbeddedChannel();
    private final ByteBuf requests = PooledByteBufAllocator.DEFAULT.directBuffer(BATCH * (REQUEST_SIZE + PAGE));

    /** A connection that is past its handshake. */
    @Setup
    public void connect() {
        Nothing device = new Nothing();
        NbdServerContext context = new NbdServerContext()
                .group(group)
                .allocator(PooledByteBufAllocator.DEFAULT)
                .export("nothing", device);
        context.conclude();
        ServerCore core = new ServerCore(context);
        Connection connection = new Connection(core.admit(), channel, core, "nobody");
        channel.pipeline().addLast(connection);
        connection.enter(new TransmissionPhase(connection, core.find("nothing"), device, false, false));
        for (int i = 0; i < BATCH; i++) {
            requests.writeInt(REQUEST_MAGIC)
                    .writeShort(0)
                    .writeShort(command.code())
                    .writeLong(i)
                    .writeLong((long) i * PAGE)
                    .writeInt(PAGE);
            if (command == Command.WRITE) {
                requests.writeZero(PAGE);
            }
        }
    }

    /** Ends the loops. */
    @TearDown
    public void stop() {
        requests.release();
        group.shutdownGracefully(0, 1, TimeUnit.SECONDS).syncUninterruptibly();
    }

    /** A turn of 32 requests, of which one counts. */
    @Benchmark
    @OperationsPerInvocation(BATCH)
    public int turn() {
        channel.writeInbound(requests.retainedDuplicate());
        int bytes = 0;
        for (ByteBuf reply = channel.readOutbound(); reply != null; reply = channel.readOutbound()) {
            bytes += reply.readableBytes();
            reply.release();
        }
        return bytes;
    }

    @Test
    void measure() throws RunnerException {
        new Runner(new OptionsBuilder()
                        .include(ProtocolBenchmark.class.getSimpleName())
                        .addProfiler(GCProfiler.class)
                        .jvmArgsAppend(
                                "-Dio.netty.leakDetection.level=disabled",
                                "-Djmh.executor=CUSTOM",
                                "-Djmh.executor.class=" + LoopThreads.class.getName())
                        .build())
                .run();
    }

    /** Threads like those of event loops, which alone have Netty's pools. */
    public static final class LoopThreads extends ThreadPoolExecutor {

        /** As JMH makes it. */
        public LoopThreads(int threads, String name) {
            super(threads, threads, 0, TimeUnit.SECONDS, new LinkedBlockingQueue<>(), new DefaultThreadFactory(name));
        }
    }

    /** A device whose requests are done as they come. */
    private static final class Nothing implements BlockDevice, DeviceQueue {

        @Override
        public long size() {
            return 1L << 30;
        }

        @Override
        public DeviceQueue open(EventLoop loop) {
            return this;
        }

        @Override
        public void read(long offset, int length, ByteBuf into, int index, Completion completion) {
            completion.complete(0);
        }

        @Override
        public void write(long offset, int length, ByteBuf from, int index, boolean fua, Completion completion) {
            completion.complete(0);
        }

        @Override
        public void flush(Completion completion) {
            completion.complete(0);
        }

        @Override
        public void trim(long offset, long length, boolean fua, Completion completion) {
            completion.complete(0);
        }

        @Override
        public void writeZeroes(
                long offset, long length, boolean noHole, boolean fast, boolean fua, Completion completion) {
            completion.complete(0);
        }

        @Override
        public void cache(long offset, long length, Completion completion) {
            completion.complete(0);
        }

        @Override
        public void blockStatus(long offset, long length, int maxExtents, ExtentSink sink, Completion completion) {
            completion.complete(0);
        }

        @Override
        public void endOfTurn() {}

        @Override
        public void close() {}
    }
}
