package io.leapnbd.nbd.server;

import static io.leapnbd.nbd.protocol.Transmission.*;
import static org.assertj.core.api.Assertions.assertThat;

import io.leapnbd.nbd.client.NbdClient;
import io.leapnbd.nbd.spi.Command;
import io.leapnbd.nbd.spi.NbdError;
import io.leapnbd.nbd.testing.Await;
import io.leapnbd.nbd.testing.GatedDevice;
import io.leapnbd.nbd.testing.MemoryDevice;
import io.leapnbd.nbd.testing.RawClient;
import io.leapnbd.nbd.testing.TestServer;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.util.BitSet;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Requests in flight: their order, their number, and what becomes of them when a client goes. */
class FlowTest {

    private static final int MIB = 1 << 20;

    private final MemoryDevice memory = new MemoryDevice(64 * MIB);
    private final GatedDevice device = new GatedDevice(memory);
    private final TestServer server = TestServer.start(
            1,
            context -> context.export("test", device).maxRequestsInFlight(100).maxBytesInFlight(32 * MIB));

    @AfterEach
    void nothingIsLeftBehind() throws IOException {
        try (server) {
            device.openGate();
            try (NbdClient other = server.client()) {
                other.read(0, ByteBuffer.allocate(4096));
            }
            Await.until(
                    "all connections have ended",
                    () -> server.server().connections().isEmpty());
            assertThat(memory.openQueues()).isZero();
        }
    }

    /** Returns when the server's only loop has been through everything that was there for it before. */
    private void lapOfTheLoop() throws IOException {
        for (int i = 0; i < 3; i++) {
            try (RawClient lap = server.raw()) {
                lap.greeting();
            }
        }
    }

    @Test
    void answersInTheOrderOfCompletion() throws IOException {
        for (byte i = 0; i < 3; i++) {
            memory.bytes().set(ValueLayout.JAVA_BYTE, i, (byte) (i + 10));
        }
        try (RawClient client = server.raw().open(false)) {
            for (int i = 0; i < 3; i++) {
                client.request(Command.READ, 0, i, i, 1);
            }
            Await.until("all three are in the device", () -> device.waiting() == 3);
            for (int next : new int[] {2, 0, 1}) {
                device.admit(next == 1 ? 0 : next);
                RawClient.Reply reply = client.reply(1);
                assertThat(reply.cookie()).isEqualTo(next);
                assertThat(reply.data()).containsExactly(next + 10);
            }
        }
    }

    @Test
    void passesOnWhatADeviceFailsWith() throws IOException {
        try (RawClient client = server.raw().open(false)) {
            for (NbdError error : NbdError.values()) {
                client.request(Command.READ, 0, 1, 0, 4096);
                Await.until("it is in the device", () -> device.waiting() == 1);
                device.fail(0, error.code());
                assertThat(client.reply(4096).error()).isEqualTo(error.code());
            }
        }
        assertThat(server.server().statistics().errors(NbdError.EIO)).isEqualTo(1);
    }

    @Test
    void neverSendsAnErrorThatTheProtocolDoesNotHaveNorThatItShutsDown() throws IOException {
        try (RawClient client = server.raw().open(false)) {
            for (int error : new int[] {108, 2, -1}) {
                client.request(Command.READ, 0, 1, 0, 4096);
                Await.until("it is in the device", () -> device.waiting() == 1);
                device.fail(0, error);
                assertThat(client.reply(4096).error()).isEqualTo(NbdError.EIO.code());
            }
        }
    }

    @Test
    void answersWhatIsInFlightBeforeItClosesOnDisconnect() throws IOException {
        try (RawClient client = server.raw().open(false)) {
            client.request(Command.READ, 0, 1, 0, MIB);
            client.request(Command.WRITE, 0, 2, MIB, 4096).bytes(new byte[4096]);
            client.request(REQUEST_MAGIC, CMD_DISC, 0, 3, 0, 0);
            client.request(Command.READ, 0, 4, 0, 512);
            Await.until("both are in the device", () -> device.waiting() == 2);
            lapOfTheLoop();
            device.openGate();
            assertThat(client.reply(MIB).data()).hasSize(MIB);
            assertThat(client.reply(0).cookie()).isEqualTo(2);
            assertThat(client.closedByServer()).isTrue();
        }
        assertThat(server.server().statistics().requests(Command.READ)).isEqualTo(1);
    }

    @Test
    void closesAtOnceOnDisconnectWhenNothingIsInFlight() throws IOException {
        try (RawClient client = server.raw().open(false)) {
            client.request(REQUEST_MAGIC, CMD_DISC, 0, 0, 0, 0);
            assertThat(client.closedByServer()).isTrue();
        }
    }

    @Test
    void answersAClientThatHasClosedItsWayOutOnly() throws IOException {
        try (RawClient client = server.raw().open(false)) {
            client.request(Command.READ, 0, 1, 0, MIB);
            client.shutdownOutput();
            Await.until("it is in the device", () -> device.waiting() == 1);
            lapOfTheLoop();
            device.openGate();
            assertThat(client.reply(MIB).data()).hasSize(MIB);
            assertThat(client.closedByServer()).isTrue();
        }
    }

    @Test
    void answersAllThatAClientHasSentBeforeItClosedItsWayOut() throws IOException {
        try (RawClient client = server.raw().open(false)) {
            ByteBuffer many = ByteBuffer.allocate(11_000 * REQUEST_SIZE);
            for (int i = 0; i < 11_000; i++) {
                many.put(RawClient.requestBytes(REQUEST_MAGIC, Command.READ.code(), 0, i, 0, 16));
            }
            client.bytes(many.array());
            client.shutdownOutput();
            Await.until("as many as may be are in the device", () -> device.waiting() == 100);
            lapOfTheLoop();
            device.openGate();
            // In any order: what is admitted after the gate is open may overtake what waits at it.
            BitSet answered = new BitSet();
            for (int i = 0; i < 11_000; i++) {
                answered.set((int) client.reply(16).cookie());
            }
            assertThat(answered.cardinality()).isEqualTo(11_000);
            assertThat(client.closedByServer()).isTrue();
        }
    }

    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void keepsBuffersUntilTheDeviceIsDoneWhenAClientVanishes(boolean reset) throws IOException {
        try (RawClient client = server.raw().open(false)) {
            for (int i = 0; i < 10; i++) {
                client.request(Command.READ, 0, i, 0, MIB);
                client.request(Command.WRITE, 0, i, MIB, 100_000).bytes(new byte[100_000]);
            }
            Await.until("all are in the device", () -> device.waiting() == 20);
            if (reset) {
                client.reset();
            }
        }
        lapOfTheLoop();
        assertThat(server.bufferBytes()).isGreaterThan(10L * MIB + 10 * 100_000);
        device.openGate();
        Await.until("all buffers are back", () -> server.bufferBytes() < MIB);
    }

    @ParameterizedTest
    @ValueSource(ints = {65_536, 100_000, 200_000})
    void forgetsAWriteWhoseClientVanishesInTheMiddleOfIt(int sent) throws IOException {
        try (RawClient client = server.raw().open(false)) {
            client.request(Command.WRITE, 0, 1, 0, MIB).bytes(new byte[sent]);
            Await.until(
                    "it has begun",
                    () -> server.server().connections().stream()
                            .anyMatch(connection -> connection.bytesInFlight() == MIB));
        }
        Await.until(
                "the connection has ended", () -> server.server().connections().isEmpty());
        assertThat(device.waiting()).isZero();
        assertThat(server.bufferBytes()).isZero();
    }

    @Test
    void boundsTheNumberOfRequestsInFlight() throws IOException {
        try (RawClient client = server.raw().open(false)) {
            for (int i = 0; i < 1000; i++) {
                client.request(Command.READ, 0, i, 0, 512);
            }
            Await.until("as many as may be are in the device", () -> device.waiting() == 100);
            lapOfTheLoop();
            assertThat(device.waiting()).isEqualTo(100);
            device.admit(7);
            assertThat(client.reply(512).cookie()).isEqualTo(7);
            Await.until("the next has taken its place", () -> device.waiting() == 100);
            device.openGate();
            for (int i = 1; i < 1000; i++) {
                assertThat(client.reply(512).error()).isZero();
            }
        }
    }

    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void boundsTheBytesInFlight(boolean write) throws Exception {
        try (RawClient client = server.raw().open(false)) {
            Thread sender = Thread.ofVirtual().start(() -> {
                try {
                    for (int i = 0; i < 60; i++) {
                        client.request(write ? Command.WRITE : Command.READ, 0, i, 0, MIB);
                        if (write) {
                            client.bytes(new byte[MIB]);
                        }
                    }
                } catch (IOException e) {
                    throw new UncheckedIOException(e);
                }
            });
            Await.until("as much as may be is in the device", () -> device.waiting() == 32);
            lapOfTheLoop();
            assertThat(device.waiting()).isEqualTo(32);
            assertThat(server.bufferBytes()).isLessThan(34L * MIB);
            device.openGate();
            for (int i = 0; i < 60; i++) {
                assertThat(client.reply(write ? 0 : MIB).error()).isZero();
            }
            sender.join();
        }
    }

    @Test
    void letsOneRequestOfTheLargestPayloadThrough() throws IOException {
        try (RawClient client = server.raw().open(false)) {
            client.request(Command.READ, 0, 1, 0, 512);
            client.request(Command.READ, 0, 2, 0, MAX_PAYLOAD);
            Await.until("the small one is in the device", () -> device.waiting() == 1);
            lapOfTheLoop();
            assertThat(device.waiting()).isEqualTo(1);
            device.openGate();
            assertThat(client.reply(512).cookie()).isEqualTo(1);
            assertThat(client.reply(MAX_PAYLOAD).cookie()).isEqualTo(2);
        }
    }

    @Test
    void slowsDownAClientThatDoesNotReadItsReplies() throws IOException {
        device.openGate();
        int requests = 300;
        try (RawClient client = server.raw().open(false)) {
            for (int i = 0; i < requests; i++) {
                client.request(Command.READ, 0, i, 0, MIB);
            }
            Await.until("it has begun", () -> server.server().statistics().requests(Command.READ) > 0);
            lapOfTheLoop();
            long begun = server.server().statistics().requests(Command.READ);
            lapOfTheLoop();
            assertThat(server.server().statistics().requests(Command.READ)).isEqualTo(begun);
            assertThat(begun).isLessThan(30);
            assertThat(server.bufferBytes()).isLessThan(6L * MIB);
            for (int i = 0; i < requests; i++) {
                RawClient.Reply reply = client.reply(MIB);
                assertThat(reply.cookie()).isEqualTo(i);
                assertThat(reply.error()).isZero();
            }
        }
    }

    @Test
    void slowsDownAClientThatDoesNotReadManySmallReplies() throws Exception {
        device.openGate();
        int requests = 20_000;
        try (RawClient client = server.raw().open(false)) {
            Thread sender = Thread.ofVirtual().start(() -> {
                ByteBuffer some = ByteBuffer.allocate(1000 * REQUEST_SIZE);
                for (int i = 0; i < 1000; i++) {
                    some.put(RawClient.requestBytes(REQUEST_MAGIC, Command.READ.code(), 0, i, 0, 512));
                }
                try {
                    for (int i = 0; i < requests / 1000; i++) {
                        client.bytes(some.array());
                    }
                } catch (IOException e) {
                    throw new UncheckedIOException(e);
                }
            });
            Await.until("it has begun", () -> server.server().statistics().requests(Command.READ) > 1000);
            lapOfTheLoop();
            assertThat(server.server().statistics().requests(Command.READ)).isLessThan(requests);
            assertThat(server.bufferBytes()).isLessThan(6L * MIB);
            for (int i = 0; i < requests; i++) {
                assertThat(client.reply(512).cookie()).isEqualTo(i % 1000);
            }
            sender.join();
        }
    }

    @Test
    void takesItsTimeWithASlowClientThatVanishes() throws IOException {
        device.openGate();
        try (RawClient client = server.raw().open(false)) {
            for (int i = 0; i < 300; i++) {
                client.request(Command.READ, 0, i, 0, MIB);
            }
            Await.until("it has begun", () -> server.server().statistics().requests(Command.READ) > 0);
            lapOfTheLoop();
        }
        Await.until("all buffers are back", () -> server.bufferBytes() == 0);
    }
}
