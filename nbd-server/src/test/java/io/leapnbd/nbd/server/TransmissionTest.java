package io.leapnbd.nbd.server;

import static io.leapnbd.nbd.protocol.Transmission.*;
import static org.assertj.core.api.Assertions.assertThat;

import io.leapnbd.nbd.client.NbdClient;
import io.leapnbd.nbd.spi.BlockDevice;
import io.leapnbd.nbd.spi.Command;
import io.leapnbd.nbd.testing.MemoryDevice;
import io.leapnbd.nbd.testing.RawClient;
import io.leapnbd.nbd.testing.RawClient.Reply;
import io.leapnbd.nbd.testing.TestServer;
import java.io.IOException;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.Random;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Each answer that the protocol prescribes, also to what no client should send. */
class TransmissionTest {

    private static final int SIZE = 1 << 20;
    private static final int EPERM = 1;
    private static final int EINVAL = 22;
    private static final int EOVERFLOW = 75;
    private static final long COOKIE = 0xfedcba9876543210L;

    private final MemoryDevice device = new MemoryDevice(SIZE);
    private final TestServer server = TestServer.of(device);

    @AfterEach
    void theServerServesOn() throws IOException {
        try (server;
                NbdClient other = server.client()) {
            other.read(0, ByteBuffer.allocate(4096));
        }
    }

    private RawClient open(boolean structured) throws IOException {
        return server.raw().open(structured);
    }

    private static void expectError(RawClient client, int error) throws IOException {
        Reply reply = client.reply(0);
        assertThat(reply.cookie()).isEqualTo(COOKIE);
        assertThat(reply.error()).isEqualTo(error);
    }

    /** The connection is in step when a read of known bytes succeeds. */
    private void expectInStep(RawClient client, boolean structured) throws IOException {
        device.bytes().set(ValueLayout.JAVA_BYTE, 4000, (byte) 42);
        client.request(Command.READ, 0, 77, 3999, 3);
        Reply reply = client.reply(3);
        assertThat(reply.cookie()).isEqualTo(77);
        assertThat(reply.data()).hasSize(structured ? 11 : 3);
        assertThat(reply.data()[structured ? 9 : 1]).isEqualTo((byte) 42);
    }

    @ParameterizedTest
    @ValueSource(ints = {8, 9, 100, 0xffff})
    void refusesAnUnknownCommand(int command) throws IOException {
        for (boolean structured : new boolean[] {false, true}) {
            try (RawClient client = open(structured)) {
                client.request(REQUEST_MAGIC, command, 0, COOKIE, 0, 512);
                expectError(client, EINVAL);
                expectInStep(client, structured);
            }
        }
    }

    @ParameterizedTest
    @EnumSource(Command.class)
    void refusesAnUnknownFlagAndThoseOfOtherCommands(Command command) throws IOException {
        int known = CMD_FLAG_FUA
                | switch (command) {
                    case READ -> CMD_FLAG_DF;
                    case WRITE_ZEROES -> CMD_FLAG_NO_HOLE | CMD_FLAG_FAST_ZERO;
                    case BLOCK_STATUS -> CMD_FLAG_REQ_ONE;
                    default -> 0;
                };
        try (RawClient client = open(true)) {
            for (int bit = 0; bit < 16; bit++) {
                int length = command == Command.FLUSH ? 0 : 512;
                client.request(command, 1 << bit, COOKIE, 0, length);
                if (command == Command.WRITE) {
                    client.bytes(new byte[length]);
                }
                expectError(client, (known & 1 << bit) != 0 ? 0 : EINVAL);
            }
            expectInStep(client, true);
        }
    }

    @Test
    void refusesDfWithoutStructuredReplies() throws IOException {
        try (RawClient client = open(false)) {
            client.request(Command.READ, CMD_FLAG_DF, COOKIE, 0, 512);
            expectError(client, EINVAL);
            expectInStep(client, false);
        }
    }

    @Test
    void acceptsFuaOnEveryCommand() throws IOException {
        try (RawClient client = open(true)) {
            for (Command command : Command.values()) {
                client.request(command, CMD_FLAG_FUA, COOKIE, 0, command == Command.FLUSH ? 0 : 16);
                if (command == Command.WRITE) {
                    client.bytes(new byte[16]);
                }
                expectError(client, 0);
            }
        }
    }

    @ParameterizedTest
    @CsvSource({
        "READ, 22",
        "TRIM, 22",
        "CACHE, 22",
        "BLOCK_STATUS, 22",
        "WRITE, 28",
        "WRITE_ZEROES, 28",
    })
    void refusesWhatReachesBeyondTheEnd(Command command, int error) throws IOException {
        for (boolean structured : new boolean[] {false, true}) {
            long[][] ranges = {{SIZE, 1}, {SIZE - 511, 512}, {1, SIZE}, {1L << 62, 512}};
            try (RawClient client = open(structured)) {
                for (long[] range : ranges) {
                    client.request(command, 0, COOKIE, range[0], range[1]);
                    if (command == Command.WRITE) {
                        client.bytes(new byte[(int) range[1]]);
                    }
                    expectError(client, error);
                }
                expectInStep(client, structured);
            }
        }
    }

    @ParameterizedTest
    @EnumSource(
            value = Command.class,
            names = {"FLUSH"},
            mode = EnumSource.Mode.EXCLUDE)
    void refusesARangeThatWrapsAround(Command command) throws IOException {
        try (RawClient client = open(true)) {
            for (long offset : new long[] {-1, -256}) {
                client.request(command, 0, COOKIE, offset, 512);
                if (command == Command.WRITE) {
                    client.bytes(new byte[512]);
                }
                expectError(client, EINVAL);
            }
            expectInStep(client, true);
        }
    }

    @Test
    void refusesAFlushOfARange() throws IOException {
        try (RawClient client = open(false)) {
            client.request(Command.FLUSH, 0, COOKIE, 512, 0);
            expectError(client, EINVAL);
            client.request(Command.FLUSH, 0, COOKIE, 0, 512);
            expectError(client, EINVAL);
            expectInStep(client, false);
        }
    }

    @Test
    void refusesBlockStatusWithoutAContext() throws IOException {
        try (RawClient client = open(false)) {
            client.request(Command.BLOCK_STATUS, 0, COOKIE, 0, 512);
            expectError(client, EINVAL);
            expectInStep(client, false);
        }
    }

    @ParameterizedTest
    @EnumSource(Command.class)
    void answersALengthOfZero(Command command) throws IOException {
        for (boolean structured : new boolean[] {false, true}) {
            try (RawClient client = open(structured)) {
                client.request(command, 0, COOKIE, 0, 0);
                Reply reply = client.reply(0);
                assertThat(reply.cookie()).isEqualTo(COOKIE);
                assertThat(reply.error()).isEqualTo(command == Command.BLOCK_STATUS ? EINVAL : 0);
                if (structured && command == Command.READ) {
                    assertThat(reply.type()).isEqualTo(CHUNK_NONE);
                    assertThat(reply.flags()).isEqualTo(CHUNK_FLAG_DONE);
                }
                expectInStep(client, structured);
            }
        }
    }

    @Test
    void refusesAReadLongerThanTheLargestPayload() throws IOException {
        try (TestServer large = TestServer.of(new MemoryDevice(MAX_PAYLOAD + 4096L));
                RawClient client = large.raw().open(true)) {
            client.request(Command.READ, 0, COOKIE, 0, MAX_PAYLOAD + 1);
            expectError(client, EINVAL);
            client.request(Command.READ, CMD_FLAG_DF, COOKIE, 0, MAX_PAYLOAD + 1);
            expectError(client, EOVERFLOW);
            client.request(Command.READ, 0, COOKIE, 0, 0xffff_ffffL);
            expectError(client, EINVAL);
            client.request(Command.READ, CMD_FLAG_DF, COOKIE, 0, MAX_PAYLOAD);
            assertThat(client.reply(0).data()).hasSize(MAX_PAYLOAD + 8);
        }
    }

    @Test
    void drainsAndRefusesAWriteLongerThanTheLargestPayload() throws IOException {
        try (RawClient client = open(false)) {
            for (int length : new int[] {MAX_PAYLOAD + 1, MAX_DRAINED}) {
                client.request(Command.WRITE, 0, COOKIE, 0, length).bytes(new byte[length]);
                expectError(client, EINVAL);
            }
            expectInStep(client, false);
        }
    }

    @Test
    void writesTheLargestPayload() throws IOException {
        MemoryDevice large = new MemoryDevice(MAX_PAYLOAD);
        try (TestServer other = TestServer.of(large);
                RawClient client = other.raw().open(false)) {
            byte[] bytes = new byte[MAX_PAYLOAD];
            bytes[MAX_PAYLOAD - 1] = 7;
            client.request(Command.WRITE, 0, COOKIE, 0, MAX_PAYLOAD).bytes(bytes);
            expectError(client, 0);
            assertThat(large.bytes().get(ValueLayout.JAVA_BYTE, MAX_PAYLOAD - 1))
                    .isEqualTo((byte) 7);
        }
    }

    @ParameterizedTest
    @ValueSource(longs = {MAX_DRAINED + 1L, 0x8000_0000L, 0xffff_ffffL})
    void dropsAClientThatAnnouncesAHugeWrite(long length) throws IOException {
        try (RawClient client = open(false)) {
            client.request(Command.WRITE, 0, COOKIE, 0, length);
            assertThat(client.closedByServer()).isTrue();
        }
    }

    @ParameterizedTest
    @ValueSource(ints = {0, SIMPLE_REPLY_MAGIC, 0x13956025})
    void dropsAClientWhoseRequestDoesNotStartWithTheMagicNumber(int magic) throws IOException {
        try (RawClient client = open(false)) {
            client.request(magic, 0, 0, COOKIE, 0, 512);
            assertThat(client.closedByServer()).isTrue();
        }
        assertThat(server.server().statistics().protocolViolations()).isEqualTo(1);
    }

    @Test
    void acceptsZeroingAndTrimmingMoreThanAPayloadCanHold() throws IOException {
        long size = MAX_DRAINED + 4096L;
        try (TestServer large = TestServer.of(new MemoryDevice(size));
                RawClient client = large.raw().open(false)) {
            for (Command command : new Command[] {Command.TRIM, Command.WRITE_ZEROES, Command.CACHE}) {
                client.request(command, 0, COOKIE, 0, size);
                expectError(client, 0);
            }
        }
    }

    @Test
    void refusesToChangeAReadOnlyExport() throws IOException {
        try (TestServer readOnly = TestServer.of(new MemoryDevice(SIZE, true));
                RawClient client = readOnly.raw().open(false)) {
            client.request(Command.WRITE, 0, COOKIE, 0, 512).bytes(new byte[512]);
            expectError(client, EPERM);
            client.request(Command.TRIM, 0, COOKIE, 0, 512);
            expectError(client, EPERM);
            client.request(Command.WRITE_ZEROES, CMD_FLAG_NO_HOLE, COOKIE, 0, 512);
            expectError(client, EPERM);
            client.request(Command.READ, 0, COOKIE, 0, 512);
            assertThat(client.reply(512).data()).hasSize(512).containsOnly(0);
        }
    }

    @Test
    void answersAStructuredReadWithOneLastChunkAtItsOffset() throws IOException {
        device.bytes().asSlice(1000, 100).fill((byte) 9);
        try (RawClient client = open(true)) {
            client.request(Command.READ, CMD_FLAG_DF, COOKIE, 999, 102);
            Reply reply = client.reply(0);
            assertThat(reply.type()).isEqualTo(CHUNK_OFFSET_DATA);
            assertThat(reply.flags()).isEqualTo(CHUNK_FLAG_DONE);
            ByteBuffer data = ByteBuffer.wrap(reply.data());
            assertThat(data.getLong()).isEqualTo(999);
            assertThat(data.remaining()).isEqualTo(102);
            assertThat(data.get(8)).isZero();
            assertThat(data.get(9)).isEqualTo((byte) 9);
            assertThat(data.get(108)).isEqualTo((byte) 9);
            assertThat(data.get(109)).isZero();
        }
    }

    @Test
    void answersAFailedStructuredReadWithAnErrorChunk() throws IOException {
        try (RawClient client = open(true)) {
            client.request(Command.READ, 0, COOKIE, SIZE, 512);
            Reply reply = client.reply(0);
            assertThat(reply.type()).isEqualTo(CHUNK_ERROR);
            assertThat(reply.flags()).isEqualTo(CHUNK_FLAG_DONE);
            assertThat(reply.data()).containsExactly(0, 0, 0, EINVAL, 0, 0);
        }
    }

    @Test
    void tellsWhatIsAllocated() throws IOException {
        try (RawClient client = open(true)) {
            client.request(Command.WRITE, 0, COOKIE, 8192, 4096).bytes(new byte[4096]);
            expectError(client, 0);
            client.request(Command.BLOCK_STATUS, 0, COOKIE, 1, SIZE - 1);
            Reply reply = client.reply(0);
            assertThat(reply.type()).isEqualTo(CHUNK_BLOCK_STATUS);
            assertThat(reply.flags()).isEqualTo(CHUNK_FLAG_DONE);
            int[] words = new int[reply.data().length / 4];
            ByteBuffer.wrap(reply.data()).asIntBuffer().get(words);
            assertThat(words)
                    .containsExactly(TransmissionPhase.ALLOCATION_CONTEXT, 8191, 3, 4096, 0, SIZE - 8192 - 4096, 3);
            client.request(Command.BLOCK_STATUS, CMD_FLAG_REQ_ONE, COOKIE, 8192, 8192);
            words = new int[3];
            ByteBuffer.wrap(client.reply(0).data()).asIntBuffer().get(words);
            assertThat(words).containsExactly(TransmissionPhase.ALLOCATION_CONTEXT, 4096, 0);
        }
    }

    @Test
    void boundsTheExtentsOfOneReply() throws IOException {
        int pages = 3 * TransmissionPhase.MAX_EXTENTS;
        BlockDevice fragmented = new MemoryDevice(pages * 4096L);
        try (TestServer other = TestServer.of(fragmented);
                RawClient client = other.raw().open(true)) {
            for (int page = 0; page < pages; page += 2) {
                client.request(Command.WRITE, 0, COOKIE, page * 4096L, 1).bytes((byte) 1);
                expectError(client, 0);
            }
            client.request(Command.BLOCK_STATUS, 0, COOKIE, 0, pages * 4096L);
            assertThat(client.reply(0).data()).hasSize(4 + 8 * TransmissionPhase.MAX_EXTENTS);
        }
    }

    @Test
    void servesManyRequestsThatComeTogether() throws IOException {
        ByteBuffer many = ByteBuffer.allocate(1000 * (REQUEST_SIZE + 100));
        for (int i = 0; i < 1000; i++) {
            many.put(RawClient.requestBytes(REQUEST_MAGIC, 1, 0, i, i * 100L, 100));
            byte[] data = new byte[100];
            Arrays.fill(data, (byte) i);
            many.put(data);
        }
        try (RawClient client = open(false)) {
            client.bytes(many.array());
            for (int i = 0; i < 1000; i++) {
                assertThat(client.reply(0).error()).isZero();
            }
            client.request(Command.READ, 0, COOKIE, 0, 100_000);
            byte[] all = client.reply(100_000).data();
            for (int i = 0; i < all.length; i++) {
                assertThat(all[i]).isEqualTo((byte) (i / 100));
            }
        }
    }

    @ParameterizedTest
    @ValueSource(ints = {4096, 32 << 10, 128 << 10, 300 << 10, 1 << 20})
    void writesAPayloadThatComesInPieces(int length) throws IOException {
        byte[] data = new byte[length];
        new Random(length).nextBytes(data);
        byte[] request = RawClient.requestBytes(REQUEST_MAGIC, 1, 0, COOKIE, 0, length);
        try (RawClient client = open(false)) {
            for (int piece : new int[] {1009, 20_000, 100_000, 262_144}) {
                ByteBuffer all = ByteBuffer.allocate(request.length + length)
                        .put(request)
                        .put(data);
                for (int at = 0; at < all.capacity(); at += piece) {
                    byte[] part = new byte[Math.min(piece, all.capacity() - at)];
                    all.get(at, part);
                    client.bytes(part);
                }
                expectError(client, 0);
                client.request(Command.READ, 0, COOKIE, 0, length);
                assertThat(client.reply(length).data()).isEqualTo(data);
                client.request(Command.TRIM, 0, COOKIE, 0, length);
                expectError(client, 0);
            }
        }
    }
}
