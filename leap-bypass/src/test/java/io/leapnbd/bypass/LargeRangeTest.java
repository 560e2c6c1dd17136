package io.leapnbd.bypass;

import static org.assertj.core.api.Assertions.assertThat;

import io.leapnbd.donor.store.SlabStore;
import io.leapnbd.donor.store.StoreSettings;
import io.netty.channel.EventLoop;
import io.netty.channel.EventLoopGroup;
import io.netty.channel.MultiThreadIoEventLoopGroup;
import io.netty.channel.epoll.EpollIoHandler;
import java.io.IOException;
import java.util.Arrays;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.function.Supplier;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** Requests about ranges of many slabs, which are walked through in steps (F6, F7). */
class LargeRangeTest {

    private static final int SLAB = 1 << 20;
    private static final int PAGE = 4096;
    private static final long SIZE = 200L * SLAB;

    private EventLoopGroup group;
    private EventLoop loop;
    private SlabStore store;
    private RemoteDevice device;
    private DeviceDriver driver;

    @BeforeEach
    void open() throws IOException {
        group = new MultiThreadIoEventLoopGroup(1, EpollIoHandler.newFactory());
        loop = group.next();
        store = SlabStore.open(StoreSettings.ofMemory(SIZE, SLAB).withLock(false));
        device = RemoteDevice.open(
                new RemoteDeviceContext().size(SIZE).embedded(store).conclude(), group);
        driver = new DeviceDriver(device, loop);
    }

    @AfterEach
    void close() throws IOException {
        driver.close();
        device.close();
        store.close();
        group.shutdownGracefully(0, 1, TimeUnit.SECONDS).awaitUninterruptibly(30, TimeUnit.SECONDS);
    }

    private static byte[] page(int slab) {
        byte[] page = new byte[PAGE];
        Arrays.fill(page, (byte) (slab + 1));
        return page;
    }

    private void fill() {
        for (int slab = 0; slab < SIZE / SLAB; slab++) {
            assertThat(driver.write((long) slab * SLAB + PAGE, page(slab))).isZero();
        }
    }

    @Test
    void aTrimZeroesAllOfItsRangeAndNothingElse() {
        fill();
        long from = 3L * SLAB + PAGE / 2;
        long length = 150L * SLAB;
        assertThat(driver.trim(from, length)).isZero();
        for (int slab = 0; slab < SIZE / SLAB; slab++) {
            boolean trimmed = slab >= 3 && slab < 153;
            assertThat(driver.read((long) slab * SLAB + PAGE, PAGE))
                    .as("slab " + slab)
                    .isEqualTo(trimmed ? new byte[PAGE] : page(slab));
        }
    }

    @Test
    void zeroesThatMustHaveMemoryGetItForTheWholeRange() {
        assertThat(driver.zero(0, SIZE, true)).isZero();
        assertThat(device.map().mappedSlabs()).isEqualTo((int) (SIZE / SLAB));
    }

    /** Whether the loop gets to something that was handed to it after a request before that request has ended. */
    private boolean letsOthersGoFirst(Supplier<CompletableFuture<Integer>> request) {
        CompletableFuture<Boolean> first = new CompletableFuture<>();
        CompletableFuture<Integer> ended = new CompletableFuture<>();
        loop.execute(() -> {
            CompletableFuture<Integer> begun = request.get();
            begun.thenAccept(ended::complete);
            loop.execute(() -> first.complete(!begun.isDone()));
        });
        assertThat(ended.orTimeout(60, TimeUnit.SECONDS).join()).isZero();
        return first.orTimeout(60, TimeUnit.SECONDS).join();
    }

    @Test
    void aLargeTrimOfBlankPagesLetsOthersHaveTheLoop() {
        assertThat(letsOthersGoFirst(() -> driver.startTrim(0, SIZE))).isTrue();
    }

    @Test
    void aLargeCacheRequestLetsOthersHaveTheLoop() {
        fill();
        assertThat(letsOthersGoFirst(() -> driver.submit((queue, done) -> queue.cache(0, SIZE, done))))
                .isTrue();
        assertThat(driver.read(PAGE, PAGE)).isEqualTo(page(0));
    }

    @Test
    void aSmallOneIsDoneAtOnce() {
        assertThat(letsOthersGoFirst(() -> driver.startTrim(0, SLAB))).isFalse();
    }
}
