package io.leapnbd.nbd.server;

import static io.leapnbd.nbd.protocol.Transmission.*;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.leapnbd.nbd.client.NbdClient;
import io.leapnbd.nbd.spi.Command;
import io.leapnbd.nbd.testing.Await;
import io.leapnbd.nbd.testing.GatedDevice;
import io.leapnbd.nbd.testing.MemoryDevice;
import io.leapnbd.nbd.testing.RawClient;
import io.leapnbd.nbd.testing.TestServer;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.locks.LockSupport;
import org.junit.jupiter.api.Test;

/** What clients can have in the server's buffers together, and that nobody is shut out by it (B1, F5, G7). */
class BudgetTest {

    private static final int MIB = 1 << 20;
    private static final int SHARED = 32 * MIB;

    /** A share, a receive buffer and replies for each of a few clients. */
    private static final long OWN = 4L * MIB;

    private final GatedDevice device = new GatedDevice(new MemoryDevice(64 * MIB));

    private TestServer server(Duration stall) {
        return TestServer.start(
                2, context -> context.export("test", device).sharedBytes(SHARED).stallTimeout(stall));
    }

    private TestServer server() {
        return server(Duration.ofMinutes(5));
    }

    private static void awaitAllGone(TestServer server) {
        Await.until(
                "all connections have ended",
                () -> server.server().connections().isEmpty());
    }

    /** Requests of the connection that came last. */
    private static int inFlight(TestServer server) {
        return server.server().connections().getLast().requestsInFlight();
    }

    @Test
    void clientsTogetherHoldNoMoreThanIsShared() throws IOException {
        try (TestServer server = server()) {
            List<RawClient> clients = new ArrayList<>();
            for (int i = 0; i < 4; i++) {
                RawClient client = server.raw().open(false);
                clients.add(client);
                for (int j = 0; j < 30; j++) {
                    client.request(Command.READ, 0, j, 0, MIB);
                }
            }
            Await.until("the budget is used up", () -> device.waiting() >= SHARED / MIB * 3 / 4);
            try (RawClient small = server.raw().open(true)) {
                // B1: what a connection has for itself is there whatever others hold.
                small.request(Command.READ, 0, 1, 0, 4096);
                small.request(Command.WRITE, 0, 2, 0, 4096).bytes(new byte[4096]);
                small.request(Command.READ, 0, 3, 0, MIB);
                // And something is left for those that have nothing yet.
                Await.until("a small client's requests are in the device", () -> inFlight(server) == 3);
                assertThat(device.waiting()).isLessThanOrEqualTo(SHARED / MIB + 2);
                assertThat(server.bufferBytes()).isLessThan(SHARED + OWN);
                device.openGate();
                for (int i = 0; i < 3; i++) {
                    assertThat(small.reply(0).error()).isZero();
                }
            }
            for (RawClient client : clients) {
                for (int j = 0; j < 30; j++) {
                    assertThat(client.reply(MIB).error()).isZero();
                }
                client.close();
            }
            awaitAllGone(server);
        }
    }

    @Test
    void largestWritesOfManyClientsAllComeThrough() throws Exception {
        device.openGate();
        try (TestServer server = server()) {
            List<Thread> clients = new ArrayList<>();
            List<Integer> errors = Collections.synchronizedList(new ArrayList<>());
            for (int i = 0; i < 4; i++) {
                clients.add(Thread.ofPlatform().start(() -> {
                    try (RawClient client = server.raw().open(false)) {
                        for (int j = 0; j < 3; j++) {
                            client.request(Command.WRITE, 0, j, 0, MAX_PAYLOAD).bytes(new byte[MAX_PAYLOAD]);
                            errors.add(client.reply(0).error());
                        }
                    } catch (IOException e) {
                        errors.add(-1);
                    }
                }));
            }
            for (Thread client : clients) {
                client.join();
            }
            assertThat(errors).hasSize(12).containsOnly(0);
            awaitAllGone(server);
        }
    }

    @Test
    void whatAClosedConnectionHasInTheDeviceStaysCounted() throws IOException {
        // F5
        try (TestServer server = server()) {
            try (RawClient client = server.raw().open(false)) {
                client.request(Command.READ, 0, 1, 0, SHARED);
                Await.until("it is in the device", () -> device.waiting() == 1);
                client.reset();
            }
            try (RawClient next = server.raw().open(false)) {
                next.request(Command.READ, 0, 1, 0, 8 * MIB);
                next.request(Command.READ, 0, 2, 0, 16);
                Await.until(
                        "the first has gone but for its request",
                        () -> server.server().statistics().connectionsOpened() == 2);
                assertThat(server.bufferBytes()).isLessThan(SHARED + OWN);
                assertThat(device.waiting()).isEqualTo(1);
                device.openGate();
                assertThat(next.reply(8 * MIB).cookie()).isEqualTo(1);
                assertThat(next.reply(16).cookie()).isEqualTo(2);
            }
            awaitAllGone(server);
        }
    }

    @Test
    void halfSentPayloadsLeaveRoomForReadersAndSmallWrites() throws IOException {
        // F5: 36 half-sent headers did to everybody what clients that do not read did.
        device.openGate();
        try (TestServer server = server()) {
            List<RawClient> halves = new ArrayList<>();
            for (int i = 0; i < 6; i++) {
                RawClient half = server.raw().open(false);
                half.request(Command.WRITE, 0, 1, 0, 12 * MIB).bytes(new byte[i % 2 * 100_000]);
                halves.add(half);
            }
            try (RawClient writer = server.raw().open(false)) {
                for (int i = 0; i < 10; i++) {
                    writer.request(Command.WRITE, 0, i, 0, 300_000).bytes(new byte[300_000]);
                    assertThat(writer.reply(0).error()).isZero();
                }
            }
            try (RawClient reader = server.raw().open(false)) {
                for (int i = 0; i < 10; i++) {
                    reader.request(Command.READ, 0, i, 0, 4 * MIB);
                }
                for (int i = 0; i < 10; i++) {
                    assertThat(reader.reply(4 * MIB).error()).isZero();
                }
                assertThat(server.bufferBytes()).isLessThan(SHARED + OWN);
            }
            for (RawClient half : halves) {
                half.close();
            }
            awaitAllGone(server);
        }
    }

    @Test
    void headersBehindALargeWriteTakeLittle() throws IOException {
        // F5: behind a large write that came whole a header is believed, but not for much.
        device.openGate();
        try (TestServer server = server()) {
            long before = server.bufferBytes();
            List<RawClient> halves = new ArrayList<>();
            for (int i = 0; i < 16; i++) {
                RawClient half = server.raw().open(false);
                half.request(Command.WRITE, 0, 1, 0, 128 << 10).bytes(new byte[128 << 10]);
                assertThat(half.reply(0).error()).isZero();
                half.request(Command.WRITE, 0, 2, 0, i % 2 == 0 ? 256 << 10 : 12 * MIB);
                halves.add(half);
            }
            Await.until(
                    "small ones have begun",
                    () -> server.server().connections().stream()
                                    .filter(c -> c.bytesInFlight() == 256 << 10)
                                    .count()
                            == 8);
            assertThat(server.server().connections())
                    .allSatisfy(c -> assertThat(c.bytesInFlight()).isIn(0L, 256L << 10));
            assertThat(server.bufferBytes() - before).isLessThan(SHARED);
            for (RawClient half : halves) {
                half.close();
            }
            awaitAllGone(server);
        }
    }

    @Test
    void aPayloadThatDoesNotGoOnBehindALargeWriteEndsItsConnection() throws IOException {
        device.openGate();
        try (TestServer server = server(Duration.ofMillis(300));
                RawClient client = server.raw().open(false)) {
            client.request(Command.WRITE, 0, 1, 0, 128 << 10).bytes(new byte[128 << 10]);
            assertThat(client.reply(0).error()).isZero();
            client.request(Command.WRITE, 0, 2, 0, 128 << 10);
            assertThat(client.closedByServer()).isTrue();
            awaitAllGone(server);
        }
    }

    @Test
    void aPayloadThatDoesNotGoOnEndsItsConnection() throws IOException {
        // F5
        try (TestServer server = server(Duration.ofMillis(300));
                RawClient client = server.raw().open(false)) {
            client.request(Command.WRITE, 0, 1, 0, MIB).bytes(new byte[100_000]);
            assertThat(client.closedByServer()).isTrue();
            awaitAllGone(server);
        }
    }

    @Test
    void repliesThatAreNotTakenEndTheirConnection() throws IOException {
        // G9
        device.openGate();
        try (TestServer server = server(Duration.ofMillis(300));
                RawClient client = server.raw().open(false)) {
            for (int i = 0; i < 60; i++) {
                client.request(Command.READ, 0, i, 0, MIB);
            }
            Await.until("it is dropped", () -> server.server().statistics().protocolViolations() == 1);
            awaitAllGone(server);
        }
    }

    @Test
    void aConnectionWithNothingToDoStays() throws IOException {
        try (TestServer server = server(Duration.ofMillis(50));
                RawClient waits = server.raw().open(false);
                NbdClient idle = server.client()) {
            waits.request(Command.READ, 0, 1, 0, 4096);
            // Somebody else is dropped in the meantime.
            try (RawClient other = server.raw().open(false)) {
                other.request(Command.WRITE, 0, 1, 0, MIB).bytes(new byte[100_000]);
                assertThat(other.closedByServer()).isTrue();
            }
            device.openGate();
            assertThat(waits.reply(4096).error()).isZero();
            idle.flush();
        }
    }

    @Test
    void repliesWithoutDataThatAreNotTakenAreBounded() throws Exception {
        device.openGate();
        try (TestServer server = server()) {
            try (RawClient client = server.raw().open(false)) {
                Thread sender = Thread.ofPlatform().start(() -> {
                    ByteBuffer some = ByteBuffer.allocate(10_000 * REQUEST_SIZE);
                    for (int i = 0; i < 10_000; i++) {
                        some.put(RawClient.requestBytes(REQUEST_MAGIC, Command.FLUSH.code(), 0, i, 0, 0));
                    }
                    try {
                        while (true) {
                            client.bytes(some.array());
                        }
                    } catch (IOException e) {
                        // The test is over.
                    }
                });
                long[] before = {-1};
                Await.until("it stands still", () -> {
                    long flushes = server.server().statistics().requests(Command.FLUSH);
                    boolean same = flushes == before[0] && flushes > 0;
                    before[0] = flushes;
                    LockSupport.parkNanos(100_000_000);
                    return same;
                });
                assertThat(server.bufferBytes()).isLessThan(MIB);
                client.reset();
                sender.join();
            }
            awaitAllGone(server);
        }
    }

    @Test
    void settingsThatDoNotFitTheProcessAreRefusedInASentence() {
        assertThatThrownBy(() -> TestServer.start(
                        2,
                        context -> context.export("test", device)
                                .directMemory(100L * MIB)
                                .maxConnections(256)
                                .sharedBytes(64L * MIB)))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("and the process may take 100 MiB; raise -XX:MaxDirectMemorySize to ");
    }

    @Test
    void whatWasNotAskedForIsMadeToFit() {
        BufferPlan roomy = BufferPlan.of(256L * MIB, 10L * MIB, 2, 0, 0, false);
        assertThat(roomy.shared()).isEqualTo(64L * MIB);
        assertThat(roomy.connections()).isEqualTo(256);
        BufferPlan narrow = BufferPlan.of(96L * MIB, 10L * MIB, 2, 0, 0, false);
        assertThat(narrow.shared()).isEqualTo(SHARED);
        assertThat(narrow.connections()).isBetween(16, 100);
        assertThat(narrow.sharedUpTo()).isGreaterThanOrEqualTo(narrow.shared() * 5 / 4);
        assertThatThrownBy(() -> BufferPlan.of(40L * MIB, 0, 2, 0, 0, false))
                .isInstanceOf(IllegalArgumentException.class);
    }
}
