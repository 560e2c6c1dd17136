package io.leapnbd.tools.linux;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;

class NetlinkTest {
    private static final long LIMIT = TimeUnit.SECONDS.toNanos(10);

    @Test
    void a_message_has_its_length_and_pads_attributes_to_four_bytes() {
        NetlinkWriter writer = new NetlinkWriter(ByteBuffer.allocate(256));
        writer.begin(0x1c, 7, 3, 1).string(2, "nbd1");
        int nest = writer.nest(7);
        writer.u32(1, 0x01020304).end(nest);
        ByteBuffer message = writer.finish();

        ByteBuffer expected = ByteBuffer.allocate(44).order(ByteOrder.nativeOrder());
        expected.putInt(44).putShort((short) 0x1c).putShort((short) 5).putInt(7).putInt(0);
        expected.put((byte) 3).put((byte) 1).putShort((short) 0);
        expected.putShort((short) 9).putShort((short) 2).put(new byte[] {'n', 'b', 'd', '1', 0, 0, 0, 0});
        expected.putShort((short) 12).putShort((short) 0x8007);
        expected.putShort((short) 8).putShort((short) 1).putInt(0x01020304);
        assertThat(message).isEqualTo(expected.flip());
    }

    @Test
    void a_reader_gives_back_what_a_writer_wrote() {
        NetlinkWriter writer = new NetlinkWriter(ByteBuffer.allocate(256));
        writer.begin(1, 1, 1, 1).string(9, "swap").u64(3, 1L << 40);
        int nest = writer.nest(4);
        writer.u32(1, -5).end(nest);
        NetlinkReader reader = new NetlinkReader(writer.finish().position(NetlinkWriter.GENERIC_HEADER));

        assertThat(reader.next()).isTrue();
        assertThat(reader.type()).isEqualTo(9);
        assertThat(reader.string()).isEqualTo("swap");
        assertThat(reader.next()).isTrue();
        assertThat(reader.type()).isEqualTo(3);
        assertThat(reader.next()).isTrue();
        assertThat(reader.type()).isEqualTo(4);
        NetlinkReader nested = reader.nested();
        assertThat(nested.next()).isTrue();
        assertThat(nested.u32()).isEqualTo(-5);
        assertThat(nested.next()).isFalse();
        assertThat(reader.next()).isFalse();
    }

    @Test
    void an_attribute_that_claims_more_than_there_is_ends_the_walk() {
        ByteBuffer attributes = ByteBuffer.allocate(8).order(ByteOrder.nativeOrder());
        attributes.putShort((short) 9).putShort((short) 1).putInt(0).flip();
        assertThat(new NetlinkReader(attributes).next()).isFalse();
        attributes.putShort(0, (short) 3);
        assertThat(new NetlinkReader(attributes).next()).isFalse();
    }

    @Test
    void the_kernel_resolves_its_own_family_and_knows_no_other() throws IOException {
        try (GenericNetlink netlink = new GenericNetlink()) {
            assertThat(netlink.family("nlctrl", "notify", System.nanoTime() + LIMIT))
                    .hasValueSatisfying(family -> {
                        assertThat(family.id()).isEqualTo(0x10);
                        assertThat(family.group()).isPresent();
                    });
            assertThat(netlink.family("no-such-family", "x", System.nanoTime() + LIMIT))
                    .isEmpty();
        }
    }

    @Test
    void a_refusal_of_the_kernel_becomes_its_error_number() throws IOException {
        try (GenericNetlink netlink = new GenericNetlink()) {
            netlink.begin(0x10, 200, 1);
            assertThatThrownBy(() -> netlink.request(System.nanoTime() + LIMIT)).isInstanceOf(LinuxException.class);
        }
    }

    @Test
    void without_an_event_there_is_none_and_nobody_waits() throws IOException {
        try (GenericNetlink netlink = new GenericNetlink()) {
            assertThat(netlink.event()).isNull();
        }
    }
}
