package io.leapnbd.bypass.queued;

import static org.assertj.core.api.Assertions.assertThat;

import io.leapnbd.nbd.spi.Completion;
import io.leapnbd.nbd.spi.DeviceQueue;
import io.leapnbd.nbd.spi.NbdError;
import io.leapnbd.nbd.testing.MemoryDevice;
import io.leapnbd.nbd.testing.RandomOperations;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.netty.channel.EventLoop;
import io.netty.channel.EventLoopGroup;
import io.netty.channel.MultiThreadIoEventLoopGroup;
import io.netty.channel.epoll.EpollIoHandler;
import java.util.Random;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class QueuedDeviceTest {

    private static final int PAGE = 4096;
    private static final int SIZE = 4 << 20;

    private final EventLoopGroup group = new MultiThreadIoEventLoopGroup(1, EpollIoHandler.newFactory());
    private final AtomicInteger staged = new AtomicInteger();

    @AfterEach
    void stop() {
        group.shutdownGracefully(0, 1, TimeUnit.SECONDS).syncUninterruptibly();
    }

    private QueuedDevice device() {
        return new QueuedDevice(new MemoryDevice(SIZE), loop -> (write, nanos) -> staged.incrementAndGet());
    }

    @Test
    void aQueuedDeviceIsAByteArray() throws Exception {
        RandomOperations.check(this::device, new Random().nextLong(), 3_000);
    }

    @Test
    void requestsOfOneTurnThatAreNeighboursAreOneRequestAndEachGetsItsBytes() throws Exception {
        AtomicInteger reads = new AtomicInteger();
        try (QueuedDevice device = new QueuedDevice(
                new CountingDevice(new MemoryDevice(SIZE), reads),
                loop -> (write, nanos) -> staged.incrementAndGet())) {
            EventLoop loop = group.next();
            ByteBuf bytes = Unpooled.directBuffer(8 * PAGE);
            for (int page = 0; page < 8; page++) {
                bytes.writeBytes(new byte[PAGE - 1]).writeByte(page + 1);
            }
            ByteBuf into = Unpooled.directBuffer(8 * PAGE).writeZero(8 * PAGE);
            CountDownLatch written = new CountDownLatch(1);
            CountDownLatch read = new CountDownLatch(8);
            DeviceQueue queue = loop.submit(() -> device.open(loop)).get();
            loop.execute(() -> {
                queue.write(0, 8 * PAGE, bytes, 0, false, error -> written.countDown());
                queue.endOfTurn();
            });
            assertThat(written.await(20, TimeUnit.SECONDS)).isTrue();
            loop.execute(() -> {
                for (int page = 0; page < 8; page++) {
                    queue.read((long) page * PAGE, PAGE, into, page * PAGE, error -> {
                        assertThat(error).isZero();
                        read.countDown();
                    });
                }
                queue.endOfTurn();
            });
            assertThat(read.await(20, TimeUnit.SECONDS)).isTrue();
            assertThat(reads).hasValue(1);
            assertThat(into).isEqualTo(bytes);
            assertThat(staged).hasValue(9);
            bytes.release();
            into.release();
        }
    }

    /** B7: one lost page failed the whole merged request, healthy neighbours included. */
    @Test
    void anErrorOfOnePageIsNotThatOfItsNeighboursThatWereMergedWithIt() throws Exception {
        try (QueuedDevice device = new QueuedDevice(
                new FailingPage(new MemoryDevice(SIZE), 3L * PAGE),
                loop -> (write, nanos) -> staged.incrementAndGet())) {
            EventLoop loop = group.next();
            DeviceQueue queue = loop.submit(() -> device.open(loop)).get();
            int[] errors = new int[8];
            for (boolean write : new boolean[] {true, false}) {
                ByteBuf bytes = Unpooled.directBuffer(8 * PAGE).writeZero(8 * PAGE);
                CountDownLatch done = new CountDownLatch(8);
                loop.execute(() -> {
                    for (int page = 0; page < 8; page++) {
                        int at = page;
                        Completion end = error -> {
                            errors[at] = error;
                            done.countDown();
                        };
                        if (write) {
                            bytes.setByte(page * PAGE, page + 1);
                            queue.write((long) page * PAGE, PAGE, bytes, page * PAGE, false, end);
                        } else {
                            queue.read((long) page * PAGE, PAGE, bytes, page * PAGE, end);
                        }
                    }
                    queue.endOfTurn();
                });
                assertThat(done.await(30, TimeUnit.SECONDS)).isTrue();
                assertThat(errors).containsExactly(0, 0, 0, NbdError.EIO.code(), 0, 0, 0, 0);
                for (int page = 0; page < 8; page++) {
                    if (page != 3) {
                        assertThat(bytes.getByte(page * PAGE)).isEqualTo((byte) (page + 1));
                    }
                }
                bytes.release();
            }
        }
    }
}
