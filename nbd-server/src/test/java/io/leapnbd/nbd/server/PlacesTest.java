package io.leapnbd.nbd.server;

import static org.assertj.core.api.Assertions.assertThat;

import io.leapnbd.nbd.client.NbdClient;
import io.leapnbd.nbd.spi.Command;
import io.leapnbd.nbd.testing.MemoryDevice;
import io.leapnbd.nbd.testing.RawClient;
import io.leapnbd.nbd.testing.TestServer;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

/** Who is let in when there are many (F13, G9). */
class PlacesTest {

    private static TestServer server(int places) {
        return TestServer.start(
                2, context -> context.export("test", new MemoryDevice(1 << 20)).maxConnections(places));
    }

    @Test
    void theLongestInItsHandshakeMakesRoom() throws IOException {
        try (TestServer server = server(2);
                RawClient stays = server.raw().open(false);
                RawClient idle = server.raw().greet()) {
            try (NbdClient fresh = server.client()) {
                fresh.read(0, ByteBuffer.allocate(512));
                assertThat(idle.closedByServer()).isTrue();
                stays.request(Command.FLUSH, 0, 5, 0, 0);
                assertThat(stays.reply(0).cookie()).isEqualTo(5);
            }
        }
    }

    @Test
    void nobodyInTransmissionMakesRoomHoweverIdle() throws IOException {
        try (TestServer server = server(2);
                RawClient one = server.raw().open(false);
                RawClient two = server.raw().open(false);
                RawClient late = server.raw()) {
            assertThat(late.closedByServer()).isTrue();
            assertThat(server.server().statistics().connectionsRefused()).isEqualTo(1);
            for (RawClient client : List.of(one, two)) {
                client.request(Command.FLUSH, 0, 5, 0, 0);
                assertThat(client.reply(0).cookie()).isEqualTo(5);
            }
        }
    }

    @Test
    void oneHostCannotShutOthersOut() throws IOException {
        List<RawClient> many = new ArrayList<>();
        try (TestServer server = server(64)) {
            for (int i = 0; i < 63; i++) {
                many.add(server.raw().open(false));
            }
            try (RawClient oneTooMany = server.raw()) {
                assertThat(oneTooMany.closedByServer()).isTrue();
            }
            // Over the Unix socket it is a user, not an address.
            try (NbdClient other = server.client()) {
                other.read(0, ByteBuffer.allocate(512));
            }
            for (RawClient client : many) {
                client.close();
            }
        }
    }
}
