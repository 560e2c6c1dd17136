package io.leapnbd.nbd.server;

import static org.assertj.core.api.Assertions.assertThat;

import com.sun.management.ThreadMXBean;
import io.leapnbd.nbd.client.NbdClient;
import io.leapnbd.nbd.spi.Command;
import io.leapnbd.nbd.testing.MemoryDevice;
import io.leapnbd.nbd.testing.TestServer;
import io.netty.channel.EventLoopGroup;
import io.netty.channel.MultiThreadIoEventLoopGroup;
import io.netty.channel.epoll.EpollIoHandler;
import io.netty.util.ResourceLeakDetector;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.nio.ByteBuffer;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** The loop allocates nothing for a request, once its pools are filled. */
class AllocationTest {

    private static final int SIZE = 8 << 20;
    private static final int BATCH = 32;
    private static final int WARM_UP = 1000;
    private static final int MEASURED = 200;

    /** Netty makes a small object when a socket is full, which happens once in many small requests. */
    private static final double LESS_THAN_AN_OBJECT = 8;

    /** A large reply may fill the socket every time, if the client does not get to run. */
    private static final double A_SMALL_OBJECT = 48;

    private static final int LARGE = 64 << 10;

    private final ResourceLeakDetector.Level level = ResourceLeakDetector.getLevel();
    private final ThreadMXBean threads = (ThreadMXBean) ManagementFactory.getThreadMXBean();

    @BeforeEach
    void withoutTheLeakDetectorWhichAllocates() {
        ResourceLeakDetector.setLevel(ResourceLeakDetector.Level.DISABLED);
    }

    @AfterEach
    void withItAgain() {
        ResourceLeakDetector.setLevel(level);
    }

    @ParameterizedTest
    @CsvSource({"READ, 4096", "READ, 131072", "WRITE, 4096", "WRITE, 131072", "FLUSH, 0", "CACHE, 4096", "TRIM, 0"})
    void aRequestAllocatesNothing(Command command, int length) throws IOException {
        AtomicLong loop = new AtomicLong();
        AtomicLong observed = new AtomicLong();
        try (EventLoops loops = new EventLoops();
                BufferReserve reserve = BufferReserve.open(loops.group(), 16 << 20);
                TestServer server = TestServer.start(
                        1,
                        context -> context.export("test", new MemoryDevice(SIZE))
                                .group(loops.group())
                                .allocator(reserve.allocator())
                                .observer(eventLoop -> {
                                    loop.set(Thread.currentThread().threadId());
                                    return (c, offset, bytes, error, start, end) -> observed.lazySet(end - start);
                                }));
                NbdClient client = server.client()) {
            assertThat(reserve.bytes()).isEqualTo(16 << 20);
            ByteBuffer data = ByteBuffer.allocateDirect(length);
            run(client, command, data, WARM_UP);
            long before = threads.getThreadAllocatedBytes(loop.get());
            run(client, command, data, MEASURED);
            long allocated = threads.getThreadAllocatedBytes(loop.get()) - before;
            assertThat((double) allocated / (MEASURED * BATCH))
                    .as("bytes a request")
                    .isLessThan(length < LARGE ? LESS_THAN_AN_OBJECT : A_SMALL_OBJECT);
            assertThat(reserve.bytes()).isEqualTo(16 << 20);
        }
    }

    /** Closed last, after the server. */
    private record EventLoops(EventLoopGroup group) implements AutoCloseable {

        EventLoops() {
            this(new MultiThreadIoEventLoopGroup(1, EpollIoHandler.newFactory()));
        }

        @Override
        public void close() {
            group.shutdownGracefully(0, 1, TimeUnit.SECONDS).awaitUninterruptibly(20, TimeUnit.SECONDS);
        }
    }

    private static void run(NbdClient client, Command command, ByteBuffer data, int batches) throws IOException {
        for (int batch = 0; batch < batches; batch++) {
            for (int i = 0; i < BATCH; i++) {
                long offset = i * 4096L;
                switch (command) {
                    case READ -> client.submitRead(offset, data.duplicate().clear());
                    case WRITE -> client.submitWrite(offset, data.duplicate().clear(), false);
                    default -> client.submit(command, 0, command == Command.FLUSH ? 0 : offset, data.capacity());
                }
            }
            for (int i = 0; i < BATCH; i++) {
                assertThat(client.await().error()).isZero();
            }
        }
    }
}
