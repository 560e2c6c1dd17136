package io.leapnbd.tools.attach;

import static org.assertj.core.api.Assertions.assertThat;

import io.leapnbd.tools.linux.NetlinkReader;
import io.leapnbd.tools.linux.NetlinkWriter;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.List;
import java.util.OptionalInt;
import org.junit.jupiter.api.Test;

/** Messages byte by byte, against linux/nbd-netlink.h. */
class NbdDriverTest {
    private static final int FAMILY = 0x1c;
    private static final short NESTED = (short) 0x8000;

    private static ByteBuffer message(int length, int command) {
        ByteBuffer expected = ByteBuffer.allocate(length).order(ByteOrder.nativeOrder());
        expected.putInt(length)
                .putShort((short) FAMILY)
                .putShort((short) 5)
                .putInt(1)
                .putInt(0);
        return expected.put((byte) command).put((byte) 1).putShort((short) 0);
    }

    private static ByteBuffer u32(ByteBuffer out, int type, int value) {
        return out.putShort((short) 8).putShort((short) type).putInt(value);
    }

    private static ByteBuffer u64(ByteBuffer out, int type, long value) {
        return out.putShort((short) 12).putShort((short) type).putLong(value);
    }

    @Test
    void connect_carries_size_flags_timeouts_and_every_socket() {
        NetlinkWriter writer = new NetlinkWriter(ByteBuffer.allocate(512));
        writer.begin(FAMILY, 1, NbdDriver.CMD_CONNECT, 1);
        NbdDriver.writeConnect(
                writer, OptionalInt.of(3), new NbdDriver.Setup(1L << 40, 4096, 0x12d, 30, 60, "who"), List.of(11, 12));

        ByteBuffer expected = message(20 + 8 + 5 * 12 + 8 + 4 + 2 * 12, 1);
        u32(expected, 1, 3);
        u64(expected, 2, 1L << 40);
        u64(expected, 3, 4096);
        u64(expected, 5, 0x12d);
        u64(expected, 4, 30);
        u64(expected, 8, 60);
        expected.putShort((short) 8).putShort((short) 10).put(new byte[] {'w', 'h', 'o', 0});
        expected.putShort((short) 28).putShort((short) (7 | NESTED));
        u32(expected.putShort((short) 12).putShort((short) (1 | NESTED)), 1, 11);
        u32(expected.putShort((short) 12).putShort((short) (1 | NESTED)), 1, 12);
        assertThat(writer.finish()).isEqualTo(expected.flip());
    }

    @Test
    void connect_without_an_index_leaves_the_choice_to_the_kernel() {
        NetlinkWriter writer = new NetlinkWriter(ByteBuffer.allocate(512));
        writer.begin(FAMILY, 1, NbdDriver.CMD_CONNECT, 1);
        NbdDriver.writeConnect(writer, OptionalInt.empty(), new NbdDriver.Setup(4096, 4096, 1, 1, 1, ""), List.of(5));
        NetlinkReader attributes = new NetlinkReader(writer.finish().position(20));
        while (attributes.next()) {
            assertThat(attributes.type()).isNotEqualTo(1);
        }
    }

    @Test
    void reconfigure_carries_the_index_what_the_device_is_connected_to_and_one_socket() {
        NetlinkWriter writer = new NetlinkWriter(ByteBuffer.allocate(512));
        writer.begin(FAMILY, 1, NbdDriver.CMD_RECONFIGURE, 1);
        NbdDriver.writeReconnect(writer, 2, "who", 9);

        ByteBuffer expected = message(20 + 8 + 8 + 4 + 12, 3);
        u32(expected, 1, 2);
        expected.putShort((short) 8).putShort((short) 10).put(new byte[] {'w', 'h', 'o', 0});
        expected.putShort((short) 16).putShort((short) (7 | NESTED));
        u32(expected.putShort((short) 12).putShort((short) (1 | NESTED)), 1, 9);
        assertThat(writer.finish()).isEqualTo(expected.flip());
    }

    @Test
    void status_is_read_from_the_list_of_devices() {
        ByteBuffer attributes = ByteBuffer.allocate(64).order(ByteOrder.nativeOrder());
        attributes.putShort((short) 44).putShort((short) 9);
        for (int device = 0; device < 2; device++) { // nested attributes of the kernel lack the flag here
            attributes.putShort((short) 20).putShort((short) 1);
            u32(attributes, 1, device);
            attributes
                    .putShort((short) 5)
                    .putShort((short) 2)
                    .put((byte) device)
                    .put(new byte[3]);
        }
        attributes.flip();
        assertThat(NbdDriver.configured(new NetlinkReader(attributes), 0)).isFalse();
        assertThat(NbdDriver.configured(new NetlinkReader(attributes), 1)).isTrue();
        assertThat(NbdDriver.configured(new NetlinkReader(attributes), 2)).isFalse();
    }
}
