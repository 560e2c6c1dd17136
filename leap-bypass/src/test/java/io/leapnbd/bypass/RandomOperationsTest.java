package io.leapnbd.bypass;

import io.leapnbd.bypass.link.DonorAddress;
import io.leapnbd.donor.store.SlabStore;
import io.leapnbd.donor.store.StoreSettings;
import io.leapnbd.donor.tls.LinkTls;
import io.leapnbd.nbd.spi.BlockDevice;
import io.leapnbd.nbd.spi.DeviceQueue;
import io.leapnbd.nbd.testing.RandomOperations;
import io.leapnbd.prefetch.LeapSettings;
import io.leapnbd.prefetch.PrefetchPolicy;
import io.netty.channel.EventLoop;
import io.netty.channel.EventLoopGroup;
import io.netty.channel.MultiThreadIoEventLoopGroup;
import io.netty.channel.epoll.EpollIoHandler;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.security.GeneralSecurityException;
import java.util.List;
import java.util.Random;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** The remote device through the NBD server and its real sockets, against a byte array as the model. */
class RandomOperationsTest {

    private static final long SIZE = 4L << 20;
    private static final int SLAB = 1 << 20;
    private static final int OPERATIONS = 3_000;

    private final EventLoopGroup group = new MultiThreadIoEventLoopGroup(1, EpollIoHandler.newFactory());
    private final long seed = new Random().nextLong();
    private PrefetchPolicy prefetch = PrefetchPolicy.NONE;

    @AfterEach
    void stop() {
        group.shutdownGracefully(0, 1, TimeUnit.SECONDS).syncUninterruptibly();
    }

    @Test
    void anEmbeddedDonorsDeviceIsAByteArray() throws Exception {
        RandomOperations.check(this::embedded, seed, OPERATIONS);
    }

    @Test
    void aDeviceOverTwoDonorsIsAByteArray() throws Exception {
        RandomOperations.check(this::overTwoDonors, seed, OPERATIONS);
    }

    @Test
    void aDeviceOverTwoDonorsOfAPoolIsAByteArray() throws Exception {
        RandomOperations.check(this::overTwoDonorsOfAPool, seed, OPERATIONS);
    }

    @ParameterizedTest
    @EnumSource(names = {"NEXT_N", "LEAP", "LEAP_KERNEL"})
    void aDeviceThatPrefetchesIntoASmallCacheIsAByteArray(PrefetchPolicy policy) throws Exception {
        prefetch = policy;
        RandomOperations.check(this::overTwoDonors, seed, OPERATIONS);
    }

    private BlockDevice embedded() {
        try {
            SlabStore store = SlabStore.open(
                    StoreSettings.ofMemory(SIZE, SLAB).withLock(false).withReadySlabs(0));
            return new Opened(open(new RemoteDeviceContext().embedded(store)), List.of(store::close));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private BlockDevice overTwoDonors() {
        try {
            DonorProcess one = new DonorProcess(4);
            DonorProcess other = new DonorProcess(4);
            List<DonorAddress> addresses = List.of(
                    new DonorAddress("127.0.0.1", one.address().getPort()),
                    new DonorAddress("127.0.0.1", other.address().getPort()));
            return new Opened(open(new RemoteDeviceContext().donors(addresses)), List.of(one::close, other::close));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private BlockDevice overTwoDonorsOfAPool() {
        try {
            Pool pool = new Pool();
            LinkTls lends = pool.donor("lends");
            LinkTls borrows = pool.server("borrows");
            DonorProcess one = new DonorProcess(4, lends);
            DonorProcess other = new DonorProcess(4, lends);
            List<DonorAddress> addresses = List.of(
                    new DonorAddress("127.0.0.1", one.address().getPort()),
                    new DonorAddress("127.0.0.1", other.address().getPort()));
            return new Opened(
                    open(new RemoteDeviceContext().donors(addresses).tls(borrows)),
                    List.of(one::close, other::close, lends::close, borrows::close));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        } catch (GeneralSecurityException e) {
            throw new IllegalStateException(e);
        }
    }

    private RemoteDevice open(RemoteDeviceContext context) throws IOException {
        return RemoteDevice.open(
                context.size(SIZE)
                        .cacheSize(64 << 12)
                        .prefetch(prefetch, LeapSettings.PUBLISHED)
                        .conclude(),
                group);
    }

    /** A device that takes its donors with it when it is closed. */
    private record Opened(RemoteDevice device, List<Runnable> donors) implements BlockDevice, AutoCloseable {

        @Override
        public long size() {
            return device.size();
        }

        @Override
        public DeviceQueue open(EventLoop loop) {
            return device.open(loop);
        }

        @Override
        public void close() throws IOException {
            device.close();
            donors.forEach(Runnable::run);
        }
    }
}
