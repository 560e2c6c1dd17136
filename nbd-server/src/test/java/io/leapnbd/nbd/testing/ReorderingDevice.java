package io.leapnbd.nbd.testing;

import io.leapnbd.nbd.spi.BlockDevice;
import io.leapnbd.nbd.spi.Completion;
import io.leapnbd.nbd.spi.DeviceQueue;
import io.netty.channel.EventLoop;
import java.util.Random;
import java.util.concurrent.TimeUnit;

/**
 * Does the requests that are in flight together in an order of its own, some at once, some later in the same turn, some up
 * to a millisecond later, as a device over a network does.
 */
public final class ReorderingDevice implements BlockDevice {

    private final BlockDevice device;
    private final long seed;

    public ReorderingDevice(BlockDevice device, long seed) {
        this.device = device;
        this.seed = seed;
    }

    @Override
    public long size() {
        return device.size();
    }

    @Override
    public DeviceQueue open(EventLoop loop) {
        Random random = new Random(seed);
        return new ForwardingQueue(device.open(loop)) {
            @Override
            protected void submit(Completion completion, Runnable request) {
                switch (random.nextInt(3)) {
                    case 0 -> request.run();
                    case 1 -> loop.execute(request);
                    default -> {
                        var _ = loop.schedule(request, random.nextInt(1000), TimeUnit.MICROSECONDS);
                    }
                }
            }
        };
    }
}
