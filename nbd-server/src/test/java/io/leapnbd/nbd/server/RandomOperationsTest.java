package io.leapnbd.nbd.server;

import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.leapnbd.nbd.spi.BlockDevice;
import io.leapnbd.nbd.spi.Completion;
import io.leapnbd.nbd.spi.DeviceQueue;
import io.leapnbd.nbd.testing.ForwardingQueue;
import io.leapnbd.nbd.testing.MemoryDevice;
import io.leapnbd.nbd.testing.RandomOperations;
import io.leapnbd.nbd.testing.ReorderingDevice;
import io.netty.buffer.ByteBuf;
import io.netty.channel.EventLoop;
import java.util.concurrent.ThreadLocalRandom;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class RandomOperationsTest {

    @ParameterizedTest
    @ValueSource(ints = {1000, 5000, 1_000_003})
    void whatWasWrittenIsRead(int size) throws Exception {
        RandomOperations.check(
                () -> new MemoryDevice(size), ThreadLocalRandom.current().nextLong(), 3000);
    }

    @Test
    void whatWasWrittenIsReadFromADeviceThatReorders() throws Exception {
        long seed = ThreadLocalRandom.current().nextLong();
        RandomOperations.check(() -> new ReorderingDevice(new MemoryDevice(1_000_003), seed), seed, 3000);
    }

    @Test
    void aFaultIsFoundAndShownByFewOperations() {
        assertThatThrownBy(() -> RandomOperations.check(TornWrites::new, 1, 1000))
                .isInstanceOf(AssertionError.class)
                .hasMessageStartingWith("seed 1: ")
                .hasMessageMatching("(?s).*also after these [12] operations.*WRITE.*");
    }

    /** Forgets the last byte of a write that crosses a page and does not end at one. */
    private static final class TornWrites implements BlockDevice {

        private final MemoryDevice device = new MemoryDevice(100_000);

        @Override
        public long size() {
            return device.size();
        }

        @Override
        public DeviceQueue open(EventLoop loop) {
            DeviceQueue queue = device.open(loop);
            return new ForwardingQueue(queue) {
                @Override
                public void write(
                        long offset, int length, ByteBuf from, int index, boolean fua, Completion completion) {
                    boolean crosses = offset / 4096 != (offset + length - 1) / 4096 && (offset + length) % 4096 != 0;
                    super.write(offset, crosses ? length - 1 : length, from, index, fua, completion);
                }
            };
        }
    }
}
