package io.leapnbd.bypass;

import static org.assertj.core.api.Assertions.assertThat;

import com.sun.management.ThreadMXBean;
import io.leapnbd.bypass.cipher.CipherKind;
import io.leapnbd.bypass.cipher.Encryption;
import io.leapnbd.bypass.link.DonorAddress;
import io.leapnbd.nbd.client.NbdClient;
import io.leapnbd.nbd.server.BufferReserve;
import io.leapnbd.nbd.testing.TestServer;
import io.leapnbd.prefetch.CacheFigures;
import io.leapnbd.prefetch.LeapSettings;
import io.leapnbd.prefetch.PrefetchPolicy;
import io.netty.channel.EventLoopGroup;
import io.netty.channel.MultiThreadIoEventLoopGroup;
import io.netty.channel.epoll.EpollIoHandler;
import io.netty.util.ResourceLeakDetector;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.nio.ByteBuffer;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;

/** A loop allocates nothing for a read, prefetches and their decisions included, once its pools are filled. */
class AllocationTest {

    private static final int PAGE = 4096;
    private static final int PAGES = 2048;
    private static final int BATCH = 8;
    private static final int WARM_UP = 4000;

    /** A million reads. */
    private static final int ALL = 1_000_000 / BATCH / 2;

    private static final int SOME = 1000;
    private static final int WRITE = 8 * PAGE;
    private static final int WRITES = 4000;

    /** Netty makes a small object when a socket is full, which happens once in many requests. */
    private static final double LESS_THAN_AN_OBJECT = 8;

    private static final double LESS_THAN_AN_OBJECT_A_PAGE = 8.0 * WRITE / PAGE;

    private final ResourceLeakDetector.Level level = ResourceLeakDetector.getLevel();
    private final ThreadMXBean threads = (ThreadMXBean) ManagementFactory.getThreadMXBean();
    private final AtomicLong loop = new AtomicLong();
    private final EventLoopGroup group = new MultiThreadIoEventLoopGroup(1, EpollIoHandler.newFactory());

    @BeforeEach
    void withoutTheLeakDetectorWhichAllocates() {
        ResourceLeakDetector.setLevel(ResourceLeakDetector.Level.DISABLED);
    }

    @AfterEach
    void withItAgain() {
        ResourceLeakDetector.setLevel(level);
        group.shutdownGracefully(0, 1, TimeUnit.SECONDS).syncUninterruptibly();
    }

    @ParameterizedTest
    @CsvSource({
        "NONE, " + ALL + ", NONE",
        "ADAPTIVE, " + ALL + ", NONE",
        "NEXT_N, " + SOME + ", NONE",
        "LEAP, " + SOME + ", NONE",
        "NEXT_N, " + SOME + ", AES_256_GCM"
    })
    void aReadAllocatesNothing(PrefetchPolicy policy, int batches, CipherKind cipher) throws IOException {
        try (BufferReserve reserve = BufferReserve.open(group, 16 << 20);
                DonorProcess donor = new DonorProcess(PAGES * PAGE / DonorProcess.SLAB);
                RemoteDevice device = RemoteDevice.open(
                        new RemoteDeviceContext()
                                .size((long) PAGES * PAGE)
                                .donors(List.of(new DonorAddress(
                                        "127.0.0.1", donor.address().getPort())))
                                .buffers(reserve.allocator())
                                .prefetch(policy, LeapSettings.PUBLISHED)
                                .encryption(Encryption.by(cipher))
                                .conclude(),
                        group);
                TestServer server = TestServer.start(
                        1,
                        context -> context.export("test", device)
                                .group(group)
                                .allocator(reserve.allocator())
                                .observer(eventLoop -> {
                                    loop.set(Thread.currentThread().threadId());
                                    return (command, offset, bytes, error, start, end) -> {};
                                }));
                NbdClient client = server.client()) {
            client.write(0, ByteBuffer.allocateDirect(PAGES * PAGE));
            read(client, WARM_UP);
            long before = threads.getThreadAllocatedBytes(loop.get());
            long hits = hits(device);
            read(client, batches);
            long allocated = threads.getThreadAllocatedBytes(loop.get()) - before;
            assertThat((double) allocated / (batches * BATCH))
                    .as("bytes a request")
                    .isLessThan(LESS_THAN_AN_OBJECT);
            if (policy != PrefetchPolicy.NONE) {
                // What a batch demands itself is not fetched for it: some policies have every other batch ready, no
                // more.
                assertThat(hits(device) - hits).isGreaterThan((long) batches * BATCH / 3);
            }
        }
    }

    /** Its seals are made page by page, of slices of the receive buffer, too; or its pages are encrypted there. */
    @ParameterizedTest
    @EnumSource(
            value = CipherKind.class,
            names = {"NONE", "AES_256_GCM"})
    void aWriteAllocatesNothingForItsPages(CipherKind cipher) throws IOException {
        try (BufferReserve reserve = BufferReserve.open(group, 16 << 20);
                DonorProcess donor = new DonorProcess(PAGES * PAGE / DonorProcess.SLAB);
                RemoteDevice device = RemoteDevice.open(
                        new RemoteDeviceContext()
                                .size((long) PAGES * PAGE)
                                .donors(List.of(new DonorAddress(
                                        "127.0.0.1", donor.address().getPort())))
                                .buffers(reserve.allocator())
                                .encryption(Encryption.by(cipher))
                                .conclude(),
                        group);
                TestServer server = TestServer.start(
                        1,
                        context -> context.export("test", device)
                                .group(group)
                                .allocator(reserve.allocator())
                                .observer(eventLoop -> {
                                    loop.set(Thread.currentThread().threadId());
                                    return (command, offset, bytes, error, start, end) -> {};
                                }));
                NbdClient client = server.client()) {
            write(client, WARM_UP);
            long before = threads.getThreadAllocatedBytes(loop.get());
            write(client, WRITES);
            long allocated = threads.getThreadAllocatedBytes(loop.get()) - before;
            assertThat((double) allocated / (WRITES * BATCH))
                    .as("bytes a request")
                    .isLessThan(LESS_THAN_AN_OBJECT_A_PAGE);
        }
    }

    private static void write(NbdClient client, int batches) throws IOException {
        ByteBuffer data = ByteBuffer.allocateDirect(WRITE);
        for (int batch = 0; batch < batches; batch++) {
            for (int i = 0; i < BATCH; i++) {
                client.submitWrite(
                        (long) (batch * BATCH + i) % (PAGES * PAGE / WRITE) * WRITE,
                        data.duplicate().clear(),
                        false);
            }
            for (int i = 0; i < BATCH; i++) {
                assertThat(client.await().error()).isZero();
            }
        }
    }

    private static long hits(RemoteDevice device) {
        CacheFigures figures = device.cache().figures();
        return figures.hits() + figures.inFlightHits();
    }

    private static void read(NbdClient client, int batches) throws IOException {
        ByteBuffer data = ByteBuffer.allocateDirect(PAGE);
        for (int batch = 0; batch < batches; batch++) {
            for (int i = 0; i < BATCH; i++) {
                client.submitRead(
                        (long) (batch * BATCH + i) % PAGES * PAGE,
                        data.duplicate().clear());
            }
            for (int i = 0; i < BATCH; i++) {
                assertThat(client.await().error()).isZero();
            }
        }
    }
}
