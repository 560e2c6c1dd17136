package io.leapnbd.nbd.server;

import static io.leapnbd.nbd.protocol.Transmission.CHUNK_ERROR;
import static io.leapnbd.nbd.protocol.Transmission.CHUNK_ERROR_OFFSET;
import static org.assertj.core.api.Assertions.assertThat;

import io.leapnbd.nbd.spi.BlockDevice;
import io.leapnbd.nbd.spi.Command;
import io.leapnbd.nbd.spi.Completion;
import io.leapnbd.nbd.spi.DeviceQueue;
import io.leapnbd.nbd.spi.NbdError;
import io.leapnbd.nbd.testing.ForwardingQueue;
import io.leapnbd.nbd.testing.MemoryDevice;
import io.leapnbd.nbd.testing.RawClient;
import io.leapnbd.nbd.testing.RawClient.Reply;
import io.leapnbd.nbd.testing.TestServer;
import io.netty.buffer.ByteBuf;
import io.netty.channel.EventLoop;
import java.io.IOException;
import org.junit.jupiter.api.Test;

/** B7: a read that fails because of one place says which, to a client that has negotiated structured replies. */
class ErrorOffsetTest {

    private static final int EIO = NbdError.EIO.code();
    private static final int PLACE = 12_288;

    @Test
    void aStructuredReplyTellsThePlaceOfTheError() throws IOException {
        try (TestServer server = TestServer.of(new OneBadPage(new MemoryDevice(1 << 20)));
                RawClient client = server.raw().open(true)) {
            client.request(Command.READ, 0, 7, 0, 32_768);
            Reply reply = client.reply(0);
            assertThat(reply.type()).isEqualTo(CHUNK_ERROR_OFFSET);
            assertThat(reply.cookie()).isEqualTo(7);
            assertThat(reply.payload().getInt(0)).isEqualTo(EIO);
            assertThat(reply.payload().getShort(4)).isZero();
            assertThat(reply.payload().getLong(6)).isEqualTo(PLACE);
            // An error without a place, afterwards, has none left over.
            client.request(Command.WRITE_ZEROES, 0, 8, 0, 4096);
            assertThat(client.reply(0).type()).isEqualTo(CHUNK_ERROR);
        }
    }

    @Test
    void aSimpleReplyTellsTheErrorAlone() throws IOException {
        try (TestServer server = TestServer.of(new OneBadPage(new MemoryDevice(1 << 20)));
                RawClient client = server.raw().open(false)) {
            client.request(Command.READ, 0, 7, 0, 32_768);
            assertThat(client.reply(0).error()).isEqualTo(EIO);
            client.request(Command.READ, 0, 8, 0, 4096);
            assertThat(client.reply(4096).error()).isZero();
        }
    }

    private record OneBadPage(BlockDevice device) implements BlockDevice {

        @Override
        public long size() {
            return device.size();
        }

        @Override
        public DeviceQueue open(EventLoop loop) {
            return new ForwardingQueue(device.open(loop)) {
                @Override
                public void read(long offset, int length, ByteBuf into, int index, Completion completion) {
                    if (offset <= PLACE && PLACE < offset + length) {
                        completion.completeAt(EIO, PLACE);
                    } else {
                        super.read(offset, length, into, index, completion);
                    }
                }

                @Override
                public void writeZeroes(
                        long offset, long length, boolean noHole, boolean fast, boolean fua, Completion completion) {
                    completion.complete(EIO);
                }
            };
        }
    }
}
