package io.leapnbd.nbd.client;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.leapnbd.nbd.protocol.Transmission;
import io.leapnbd.nbd.spi.Command;
import io.leapnbd.nbd.spi.NbdError;
import io.leapnbd.nbd.testing.Await;
import io.leapnbd.nbd.testing.GatedDevice;
import io.leapnbd.nbd.testing.MemoryDevice;
import io.leapnbd.nbd.testing.TestServer;
import java.io.EOFException;
import java.io.IOException;
import java.net.SocketTimeoutException;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.Arrays;
import java.util.HashSet;
import java.util.Random;
import java.util.Set;
import org.junit.jupiter.api.Test;

class NbdClientTest {

    private static final int SIZE = 8 << 20;

    @Test
    void doesOneThingAtATime() throws IOException {
        try (TestServer server = TestServer.of(new MemoryDevice(SIZE));
                NbdClient client = server.client()) {
            byte[] data = new byte[1_000_000];
            new Random(1).nextBytes(data);
            client.write(4097, ByteBuffer.wrap(data));
            client.flush();
            client.cache(0, SIZE);
            ByteBuffer found = ByteBuffer.allocateDirect(data.length);
            client.read(4097, found);
            assertThat(found.flip()).isEqualTo(ByteBuffer.wrap(data));
            client.trim(8192, 4096);
            client.zero(4097, 3);
            ByteBuffer zeroed = ByteBuffer.allocate(data.length);
            client.read(4097, zeroed);
            Arrays.fill(data, 0, 3, (byte) 0);
            Arrays.fill(data, 8192 - 4097, 8192 - 4097 + 4096, (byte) 0);
            assertThat(zeroed.flip()).isEqualTo(ByteBuffer.wrap(data));
            client.disconnect();
        }
    }

    @Test
    void keepsManyRequestsInFlightOfMoreThanTheSocketsHold() throws IOException {
        try (TestServer server = TestServer.of(new MemoryDevice(SIZE));
                NbdClient client = server.client()) {
            Set<Long> cookies = new HashSet<>();
            for (int i = 0; i < 2000; i++) {
                cookies.add(client.submitWrite(0, ByteBuffer.allocate(10_000), i % 2 == 0));
                cookies.add(client.submitRead(0, ByteBuffer.allocate(10_000)));
            }
            assertThat(cookies).hasSize(4000);
            while (!cookies.isEmpty()) {
                NbdReply reply = client.await();
                assertThat(reply.error()).isZero();
                assertThat(cookies.remove(reply.cookie())).isTrue();
            }
            assertThat(client.inFlight()).isZero();
            assertThatThrownBy(client::await).isInstanceOf(IllegalStateException.class);
        }
    }

    @Test
    void tellsRepliesApartThatComeInAnotherOrder() throws IOException {
        GatedDevice device = new GatedDevice(new MemoryDevice(SIZE));
        try (TestServer server = TestServer.of(device);
                NbdClient client = server.client()) {
            long first = client.submitRead(0, ByteBuffer.allocate(10));
            long second = client.submit(Command.TRIM, Transmission.CMD_FLAG_FUA, 0, 4096);
            client.send();
            Await.until("both are in the device", () -> device.waiting() == 2);
            device.fail(1, NbdError.EIO.code());
            assertThat(client.await()).isEqualTo(new NbdReply(second, 5));
            device.openGate();
            client.flush();
            assertThat(client.await()).isEqualTo(new NbdReply(first, 0));
        }
    }

    @Test
    void throwsWhatTheServerAnswersAndGoesOn() throws IOException {
        try (TestServer server = TestServer.of(new MemoryDevice(SIZE));
                NbdClient client = server.client()) {
            assertThatThrownBy(() -> client.read(SIZE, ByteBuffer.allocate(512)))
                    .isInstanceOf(RemoteErrorException.class)
                    .hasMessage("the server answered a read of 512 bytes at 8388608 with error 22");
            client.read(0, ByteBuffer.allocate(512));
        }
    }

    @Test
    void waitsNoLongerThanItsTimeout() throws IOException {
        GatedDevice device = new GatedDevice(new MemoryDevice(SIZE));
        try (TestServer server = TestServer.of(device);
                // The handshake has as long, and is to succeed on a busy machine.
                NbdClient client = NbdClient.connect(server.unix(), Duration.ofSeconds(3))) {
            assertThatThrownBy(client::flush).isInstanceOf(SocketTimeoutException.class);
            device.openGate();
        }
    }

    @Test
    void noticesThatTheServerHasGone() throws IOException {
        GatedDevice device = new GatedDevice(new MemoryDevice(SIZE));
        try (TestServer server = TestServer.of(device);
                NbdClient client = server.client()) {
            client.submitRead(0, ByteBuffer.allocate(512));
            client.send();
            Await.until("it is in the device", () -> device.waiting() == 1);
            device.openGate();
            assertThat(client.await().error()).isZero();
            server.server().close();
            assertThatThrownBy(client::flush).isInstanceOfAny(EOFException.class, IOException.class);
        }
    }

    @Test
    void givesUpOnAReplyToWhatItDidNotAsk() throws IOException {
        try (ScriptedServer server = new ScriptedServer((in, out) -> {
                    ScriptedServer.greet(in, out, 0);
                    ScriptedServer.option(in);
                    out.writeLong(SIZE);
                    out.writeShort(1);
                    out.write(new byte[124]);
                    in.readNBytes(28);
                    out.writeInt(Transmission.SIMPLE_REPLY_MAGIC);
                    out.writeInt(0);
                    out.writeLong(12345);
                });
                NbdClient client = NbdClient.connect(server.uri(), TestServer.PATIENCE)) {
            assertThatThrownBy(client::flush).hasMessage("the server answers a request that was not made");
        }
    }
}
