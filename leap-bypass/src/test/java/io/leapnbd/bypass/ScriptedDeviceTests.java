package io.leapnbd.bypass;

import io.leapnbd.bypass.cipher.CipherKind;
import io.leapnbd.prefetch.PrefetchPolicy;
import io.netty.channel.EventLoopGroup;
import io.netty.channel.MultiThreadIoEventLoopGroup;
import io.netty.channel.epoll.EpollIoHandler;
import java.io.IOException;
import java.util.Random;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;

/** What tests of the data path over donors that follow a script have in common: a device with one loop, and who drives it. */
abstract class ScriptedDeviceTests {

    static final int PAGE = 4096;
    static final int SLAB_SHIFT = 16;
    static final int SLAB = 1 << SLAB_SHIFT;

    private final EventLoopGroup group = new MultiThreadIoEventLoopGroup(1, EpollIoHandler.newFactory());

    @SuppressWarnings("NullAway.Init") // Opened by each test, which chooses its donors and times.
    ScriptedDevice device;

    @SuppressWarnings("NullAway.Init") // Likewise.
    DeviceDriver driver;

    /** How pages are encrypted; a subclass says otherwise. */
    CipherKind cipher() {
        return CipherKind.NONE;
    }

    @AfterEach
    void stop() throws IOException {
        group.shutdownGracefully(0, 1, TimeUnit.SECONDS).syncUninterruptibly();
        device.close();
    }

    /**
     * Opens the device.
     *
     * @param copies of each slab
     * @param timeoutMillis how long a request may take; a copy may be silent for an eighth of it
     */
    void open(int slabs, int donors, int copies, long timeoutMillis) throws IOException {
        device = new ScriptedDevice(
                slabs,
                SLAB_SHIFT,
                donors,
                copies,
                TimeUnit.MILLISECONDS.toNanos(timeoutMillis),
                PrefetchPolicy.NONE,
                new Random(1),
                slab -> {},
                cipher());
        driver = new DeviceDriver(device, group.next(), device.clock);
    }

    /** Bytes of a page that no other seed has. */
    static byte[] page(int seed) {
        byte[] bytes = new byte[PAGE];
        new Random(seed).nextBytes(bytes);
        return bytes;
    }
}
