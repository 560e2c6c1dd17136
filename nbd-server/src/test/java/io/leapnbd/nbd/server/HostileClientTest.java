package io.leapnbd.nbd.server;

import static io.leapnbd.nbd.protocol.Negotiation.*;
import static io.leapnbd.nbd.protocol.Transmission.*;
import static org.assertj.core.api.Assertions.assertThat;

import io.leapnbd.nbd.client.NbdClient;
import io.leapnbd.nbd.spi.BlockDevice;
import io.leapnbd.nbd.spi.Command;
import io.leapnbd.nbd.spi.Completion;
import io.leapnbd.nbd.spi.DeviceQueue;
import io.leapnbd.nbd.testing.Await;
import io.leapnbd.nbd.testing.ForwardingQueue;
import io.leapnbd.nbd.testing.MemoryDevice;
import io.leapnbd.nbd.testing.RawClient;
import io.leapnbd.nbd.testing.TestServer;
import io.netty.buffer.ByteBuf;
import io.netty.channel.EventLoop;
import java.io.IOException;
import java.net.SocketException;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * Clients that mean harm, over real sockets, while another one works with an export of its own. That one has its bytes and its connection at the
 * end, and the server no buffer of theirs. {@link HandshakeTest} and {@link TransmissionTest} have what each single request is answered with;
 * {@link ProtocolFuzzTest} looks at what is answered to any bytes.
 */
class HostileClientTest {

    private static final int SIZE = 1 << 20;
    private static final int PAGE = 4096;
    private static final int EXTENDED_HEADERS = 11;
    private static final int EXTENDED_REQUEST_MAGIC = 0x21e41c71;

    /** Of random clients; a night's run gives others. */
    private static final long SEED = Long.getLong("leap.seed", 1);

    private static final int CLIENTS = Integer.getInteger("leap.clients", 150);

    private final byte[] mine = new byte[PAGE];
    private TestServer server;
    private NbdClient victim;

    @BeforeEach
    void start() throws IOException {
        server = TestServer.start(
                2, context -> context.export("mine", new MemoryDevice(SIZE)).export("theirs", new MemoryDevice(SIZE)));
        new Random(7).nextBytes(mine);
        victim = NbdClient.connect(server.unix().withExport("mine"), TestServer.PATIENCE);
        victim.write(PAGE, ByteBuffer.wrap(mine));
    }

    @AfterEach
    void theVictimHasWhatItHad() throws IOException {
        try (TestServer its = server;
                NbdClient client = victim) {
            ByteBuffer read = ByteBuffer.allocate(PAGE);
            client.read(PAGE, read);
            assertThat(read.array()).isEqualTo(mine);
            client.flush();
            assertThat(its.server().connections()).isNotEmpty();
        }
    }

    private RawClient opened(boolean structured) throws IOException {
        RawClient client = server.raw().greet();
        if (structured) {
            client.option(OPT_STRUCTURED_REPLY).optionReply();
        }
        client.option(OPT_GO, RawClient.goData("theirs"));
        assertThat(client.lastOptionReply().type()).isEqualTo(REP_ACK);
        return client;
    }

    @Test
    void extendedHeadersAreRefusedAndNotUnderstoodAllTheSame() throws IOException {
        try (RawClient client = server.raw().greet()) {
            client.option(EXTENDED_HEADERS);
            assertThat(client.optionReply().type()).isEqualTo(REP_ERR_UNSUP);
            client.option(OPT_GO, RawClient.goData("theirs"));
            assertThat(client.lastOptionReply().type()).isEqualTo(REP_ACK);
            // 32 bytes, with a length of 64 bits.
            client.bytes(ByteBuffer.allocate(32)
                    .putInt(EXTENDED_REQUEST_MAGIC)
                    .putLong(0)
                    .putShort((short) 0)
                    .array());
            assertThat(client.closedByServer()).isTrue();
        }
    }

    @ParameterizedTest
    @ValueSource(ints = {0, 1, 27, 28, 29, 4000})
    void aWriteThatStopsInTheMiddleChangesNothing(int sent) throws IOException {
        byte[] whole = ByteBuffer.allocate(REQUEST_SIZE + PAGE)
                .put(RawClient.requestBytes(REQUEST_MAGIC, Command.WRITE.code(), 0, 1, 0, PAGE))
                .put(mine)
                .array();
        try (RawClient client = opened(true)) {
            client.bytes(Arrays.copyOf(whole, sent));
        }
        try (NbdClient other = NbdClient.connect(server.unix().withExport("theirs"), TestServer.PATIENCE)) {
            ByteBuffer read = ByteBuffer.allocate(PAGE);
            other.read(0, read);
            assertThat(read.array()).isEqualTo(new byte[PAGE]);
        }
    }

    /**
     * A connection is greeted when what earlier ones have sent is received. One that sends everything before it is greeted is not listened to
     * earlier: its write would be undone by an older one. It was, and the server's greeting failed.
     *
     * @param idle connections before, so that once the loop which is held up is not the one that accepts
     */
    @ParameterizedTest
    @ValueSource(ints = {0, 1})
    void aClientThatDoesNotWaitForTheGreetingOvertakesNobody(int idle) throws Exception {
        MemoryDevice device = new MemoryDevice(SIZE);
        CountDownLatch held = new CountDownLatch(1);
        BlockDevice holding = new BlockDevice() {
            @Override
            public long size() {
                return SIZE;
            }

            @Override
            public DeviceQueue open(EventLoop loop) {
                return new ForwardingQueue(device.open(loop)) {
                    @Override
                    public void read(long offset, int length, ByteBuf into, int index, Completion completion) {
                        // Holds the whole loop up, as a busy machine would.
                        try {
                            assertThat(held.await(60, TimeUnit.SECONDS)).isTrue();
                        } catch (InterruptedException e) {
                            Thread.currentThread().interrupt();
                        }
                        super.read(offset, length, into, index, completion);
                    }
                };
            }
        };
        byte[] older = new byte[PAGE];
        Arrays.fill(older, (byte) 1);
        byte[] newer = new byte[PAGE];
        Arrays.fill(newer, (byte) 2);
        try (TestServer slow = TestServer.start(3, context -> context.export("theirs", holding))) {
            for (int i = 0; i < idle; i++) {
                RawClient _ = slow.raw().open(false);
            }
            RawClient first = slow.raw().open(false);
            first.request(Command.READ, 0, 1, 0, PAGE);
            Await.until(
                    "it has begun", () -> slow.server().connections().getLast().requestsInFlight() > 0);
            first.request(Command.WRITE, 0, 2, 0, PAGE).bytes(older);
            try (RawClient second = slow.raw()) {
                second.bytes(number(FLAG_FIXED_NEWSTYLE | FLAG_NO_ZEROES))
                        .bytes(RawClient.optionBytes(OPT_GO, RawClient.goData("theirs")))
                        .request(Command.WRITE, 0, 3, 0, PAGE)
                        .bytes(newer);
                // Long enough for a server that listens.
                Thread.sleep(500);
                held.countDown();
                assertThat(second.greeting()).isEqualTo(FLAG_FIXED_NEWSTYLE | FLAG_NO_ZEROES);
                assertThat(second.lastOptionReply().type()).isEqualTo(REP_ACK);
                assertThat(second.reply(0).cookie()).isEqualTo(3);
                second.request(Command.READ, 0, 4, 0, PAGE);
                assertThat(second.reply(PAGE).data()).isEqualTo(newer);
            }
        }
    }

    @Test
    void repliesAreNotForClientsToSend() throws IOException {
        for (int magic : new int[] {SIMPLE_REPLY_MAGIC, STRUCTURED_REPLY_MAGIC}) {
            try (RawClient client = opened(true)) {
                client.request(magic, 0, 0, 1, 0, 0);
                assertThat(client.closedByServer()).isTrue();
            }
        }
    }

    @Test
    void cookiesThatAreUsedTwiceAreAnsweredTwice() throws IOException {
        try (RawClient client = opened(false)) {
            for (int i = 0; i < 64; i++) {
                client.request(Command.READ, 0, -1, 0, 512);
            }
            for (int i = 0; i < 64; i++) {
                assertThat(client.reply(512).cookie()).isEqualTo(-1);
            }
        }
    }

    /** Clients by a seed: {@code -Dleap.seed=… -Dleap.clients=100000} for a night. */
    @Test
    void noClientsAtRandomDoHarm() throws IOException {
        Random random = new Random(SEED);
        List<RawClient> open = new ArrayList<>();
        for (int i = 0; i < CLIENTS; i++) {
            RawClient client = server.raw();
            open.add(client);
            try {
                misbehave(client, random);
                if (random.nextInt(4) == 0) {
                    client.reset();
                }
            } catch (SocketException e) {
                // The server has closed it, as it may.
                client.close();
            }
            if (open.size() > 8) {
                open.removeFirst().close();
            }
            if (i % 25 == 0) {
                victim.read(PAGE, ByteBuffer.allocate(PAGE));
            }
        }
        for (RawClient client : open) {
            client.close();
        }
        Await.until(
                "only the victim is connected",
                () -> server.server().connections().size() == 1);
    }

    private static void misbehave(RawClient client, Random random) throws IOException {
        client.bytes(number(random.nextInt(10) == 0 ? random.nextInt() : FLAG_FIXED_NEWSTYLE | FLAG_NO_ZEROES));
        for (int option = random.nextInt(6); option > 0; option--) {
            byte[] data = switch (random.nextInt(4)) {
                case 0 -> RawClient.goData(random.nextBoolean() ? "theirs" : "nobody's");
                case 1 -> RawClient.contextData("theirs", BASE_ALLOCATION);
                case 2 -> new byte[0];
                default -> noise(random, random.nextInt(200));
            };
            // Not opened yet: the victim's export has another name.
            client.bytes(RawClient.optionBytes(3 + random.nextInt(10), data));
        }
        client.bytes(RawClient.optionBytes(OPT_GO, RawClient.goData("theirs")));
        for (int request = random.nextInt(40); request > 0; request--) {
            int type = random.nextInt(9);
            int length = random.nextInt(4) == 0 ? random.nextInt() : random.nextInt(3 * PAGE);
            long offset = random.nextInt(4) == 0 ? random.nextLong() : random.nextInt(SIZE);
            int magic = random.nextInt(60) == 0 ? random.nextInt() : REQUEST_MAGIC;
            client.request(magic, type, random.nextInt(3) == 0 ? random.nextInt(1 << 16) : 0, request, offset, length);
            if (type == Command.WRITE.code() && length > 0 && length < 4 * PAGE) {
                client.bytes(noise(random, random.nextInt(8) == 0 ? random.nextInt(length) : length));
            }
        }
    }

    private static byte[] number(int value) {
        return ByteBuffer.allocate(Integer.BYTES).putInt(value).array();
    }

    private static byte[] noise(Random random, int length) {
        byte[] bytes = new byte[length];
        random.nextBytes(bytes);
        return bytes;
    }
}
