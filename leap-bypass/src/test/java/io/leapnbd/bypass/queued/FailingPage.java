package io.leapnbd.bypass.queued;

import io.leapnbd.nbd.spi.BlockDevice;
import io.leapnbd.nbd.spi.Completion;
import io.leapnbd.nbd.spi.DeviceQueue;
import io.leapnbd.nbd.spi.NbdError;
import io.leapnbd.nbd.testing.ForwardingQueue;
import io.netty.buffer.ByteBuf;
import io.netty.channel.EventLoop;

/** A device with one byte that can neither be read nor written. */
record FailingPage(BlockDevice device, long bad) implements BlockDevice {

    @Override
    public long size() {
        return device.size();
    }

    @Override
    public DeviceQueue open(EventLoop loop) {
        return new ForwardingQueue(device.open(loop)) {
            @Override
            public void read(long offset, int length, ByteBuf into, int index, Completion completion) {
                if (covers(offset, length)) {
                    completion.completeAt(NbdError.EIO.code(), bad);
                } else {
                    super.read(offset, length, into, index, completion);
                }
            }

            @Override
            public void write(long offset, int length, ByteBuf from, int index, boolean fua, Completion completion) {
                if (covers(offset, length)) {
                    completion.complete(NbdError.EIO.code());
                } else {
                    super.write(offset, length, from, index, fua, completion);
                }
            }

            private boolean covers(long offset, int length) {
                return offset <= bad && bad < offset + length;
            }
        };
    }
}
