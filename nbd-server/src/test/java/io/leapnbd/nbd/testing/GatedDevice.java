package io.leapnbd.nbd.testing;

import io.leapnbd.nbd.spi.BlockDevice;
import io.leapnbd.nbd.spi.Completion;
import io.leapnbd.nbd.spi.DeviceQueue;
import io.netty.channel.EventLoop;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;

/**
 * Holds every request until a test lets it through: one that is in flight for as long as the test likes, completed in the
 * order that it likes. A device behind it does the work when a request is let through.
 */
public final class GatedDevice implements BlockDevice {

    private final BlockDevice device;
    private final List<Waiting> waiting = new ArrayList<>();
    private boolean open;

    private record Waiting(EventLoop loop, Runnable work, Completion completion) {}

    public GatedDevice(BlockDevice device) {
        this.device = device;
    }

    @Override
    public long size() {
        return device.size();
    }

    /** Requests that wait at the gate. */
    public synchronized int waiting() {
        return waiting.size();
    }

    /** Lets the {@code index}th of those that wait through. */
    public void admit(int index) {
        Waiting one = take(index);
        one.loop.execute(one.work);
    }

    /** Fails the {@code index}th of those that wait. */
    public void fail(int index, int error) {
        Waiting one = take(index);
        one.loop.execute(() -> one.completion.complete(error));
    }

    private synchronized Waiting take(int index) {
        return waiting.remove(index);
    }

    /** Lets all through, and those that follow. */
    public void openGate() {
        synchronized (this) {
            open = true;
            // In one task a loop: a request that follows comes to its end at once, and must not do so between them.
            Map<EventLoop, List<Waiting>> byLoop = waiting.stream().collect(Collectors.groupingBy(Waiting::loop));
            byLoop.forEach((loop, all) -> loop.execute(() -> all.forEach(one -> one.work.run())));
            waiting.clear();
        }
    }

    private void arrive(EventLoop loop, Completion completion, Runnable work) {
        synchronized (this) {
            if (!open) {
                waiting.add(new Waiting(loop, work, completion));
                return;
            }
        }
        work.run();
    }

    @Override
    public DeviceQueue open(EventLoop loop) {
        return new ForwardingQueue(device.open(loop)) {
            @Override
            protected void submit(Completion completion, Runnable request) {
                arrive(loop, completion, request);
            }
        };
    }
}
