package io.leapnbd.nbd.server;

import static org.assertj.core.api.Assertions.assertThat;

import com.sun.management.ThreadMXBean;
import io.leapnbd.nbd.client.NbdClient;
import io.leapnbd.nbd.spi.Command;
import io.leapnbd.nbd.testing.MemoryDevice;
import io.leapnbd.nbd.testing.TestServer;
import io.netty.buffer.PooledByteBufAllocator;
import io.netty.util.ResourceLeakDetector;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.nio.ByteBuffer;
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
        try (TestServer server = TestServer.start(
                        1,
                        context -> context.export("test", new MemoryDevice(SIZE))
                                .allocator(PooledByteBufAllocator.DEFAULT)
                                .observer(eventLoop -> {
                                    loop.set(Thread.currentThread().threadId());
                                    return (c, offset, bytes, error, start, end) -> observed.lazySet(end - start);
                                }));
                NbdClient client = server.client()) {
            ByteBuffer data = ByteBuffer.allocateDirect(length);
            run(client, command, data, WARM_UP);
            long before = threads.getThreadAllocatedBytes(loop.get());
            run(client, command, data, MEASURED);
            long allocated = threads.getThreadAllocatedBytes(loop.get()) - before;
            assertThat((double) allocated / (MEASURED * BATCH))
                    .as("bytes a request")
                    .isLessThan(0.5);
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
