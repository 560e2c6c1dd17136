package io.leapnbd.nbd.client;

import static io.leapnbd.nbd.client.ScriptedServer.*;
import static io.leapnbd.nbd.protocol.Negotiation.*;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.leapnbd.nbd.protocol.Transmission;
import io.leapnbd.nbd.testing.MemoryDevice;
import io.leapnbd.nbd.testing.TestServer;
import java.io.IOException;
import java.net.SocketTimeoutException;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import org.junit.jupiter.api.Test;

class NbdHandshakeTest {

    private static final int SIZE = 1 << 20;

    @Test
    void learnsAllThatTheServerTells() throws IOException {
        try (TestServer server = TestServer.of(new MemoryDevice(SIZE, true));
                SocketChannel channel = SocketChannel.open(server.unix().address())) {
            NegotiatedExport export = NbdHandshake.open(channel, "", false);
            assertThat(export.name()).isEqualTo("test");
            assertThat(export.size()).isEqualTo(SIZE);
            assertThat(export.description()).isEqualTo("memory of a test");
            assertThat(export.minBlock()).isEqualTo(1);
            assertThat(export.preferredBlock()).isEqualTo(4096);
            assertThat(export.maxPayload()).isEqualTo(32 << 20);
            assertThat(export.structured()).isFalse();
            assertThat(export.has(Transmission.HAS_FLAGS | Transmission.READ_ONLY))
                    .isTrue();
            assertThat(export.has(Transmission.SEND_DF)).isFalse();
        }
    }

    @Test
    void negotiatesStructuredRepliesWhenAsked() throws IOException {
        try (TestServer server = TestServer.of(new MemoryDevice(SIZE));
                SocketChannel channel = SocketChannel.open(server.tcp().address())) {
            NegotiatedExport export = NbdHandshake.open(channel, "test", true);
            assertThat(export.structured()).isTrue();
            assertThat(export.has(Transmission.SEND_DF)).isTrue();
        }
    }

    @Test
    void saysThatThereIsNoSuchExport() throws IOException {
        try (TestServer server = TestServer.of(new MemoryDevice(SIZE))) {
            assertThatThrownBy(() -> NbdClient.connect(server.tcp().withExport("nope"), TestServer.PATIENCE))
                    .isInstanceOf(IOException.class)
                    .hasMessageStartingWith("the server has no export 'nope'");
        }
    }

    @Test
    void opensByNameWhereTheServerDoesNotKnowGo() throws IOException {
        try (ScriptedServer server = new ScriptedServer((in, out) -> {
                    greet(in, out, FLAG_FIXED_NEWSTYLE);
                    reply(out, option(in), REP_ERR_UNSUP);
                    assertThat(option(in)).isEqualTo(OPT_EXPORT_NAME);
                    out.writeLong(SIZE);
                    out.writeShort(Transmission.HAS_FLAGS);
                    out.write(new byte[EXPORT_NAME_PADDING]);
                });
                NbdClient client = NbdClient.connect(server.uri(), TestServer.PATIENCE)) {
            assertThat(client.export().size()).isEqualTo(SIZE);
            assertThat(client.export().name()).isEqualTo("leap");
        }
    }

    @Test
    void opensByNameWhereTheServerIsNotFixedNewstyle() throws IOException {
        try (ScriptedServer server = new ScriptedServer((in, out) -> {
                    greet(in, out, FLAG_NO_ZEROES);
                    option(in);
                    out.writeLong(SIZE);
                    out.writeShort(Transmission.HAS_FLAGS);
                });
                NbdClient client = NbdClient.connect(server.uri(), TestServer.PATIENCE)) {
            assertThat(client.export().size()).isEqualTo(SIZE);
        }
    }

    @Test
    void repeatsTheServersWordsWhenItRefuses() throws IOException {
        try (ScriptedServer server = new ScriptedServer((in, out) -> {
            greet(in, out, FLAG_FIXED_NEWSTYLE);
            reply(out, option(in), REP_ERR_POLICY, "not today".getBytes(StandardCharsets.UTF_8));
        })) {
            assertThatThrownBy(() -> NbdClient.connect(server.uri(), TestServer.PATIENCE))
                    .isInstanceOf(IOException.class)
                    .hasMessage("the server refuses export 'leap': not today");
        }
    }

    @Test
    void givesUpOnAServerThatSpeaksAnotherProtocol() throws IOException {
        try (ScriptedServer server = new ScriptedServer((in, out) -> out.write(new byte[GREETING_SIZE]))) {
            assertThatThrownBy(() -> NbdClient.connect(server.uri(), TestServer.PATIENCE))
                    .isInstanceOf(IOException.class)
                    .hasMessageContaining("no newstyle NBD server");
        }
    }

    @Test
    void givesUpOnAServerThatAnnouncesAHugeReply() throws IOException {
        try (ScriptedServer server = new ScriptedServer((in, out) -> {
            greet(in, out, FLAG_FIXED_NEWSTYLE);
            out.writeLong(OPTION_REPLY_MAGIC);
            out.writeInt(option(in));
            out.writeInt(REP_INFO);
            out.writeInt(-1);
        })) {
            assertThatThrownBy(() -> NbdClient.connect(server.uri(), TestServer.PATIENCE))
                    .isInstanceOf(IOException.class)
                    .hasMessageContaining("4294967295 bytes");
        }
    }

    @Test
    void givesUpOnAServerThatSaysNothing() throws IOException {
        try (ScriptedServer server = new ScriptedServer((in, out) -> {})) {
            assertThatThrownBy(() -> NbdClient.connect(server.uri(), Duration.ofMillis(50)))
                    .isInstanceOf(SocketTimeoutException.class)
                    .hasMessage("no answer within 50 ms");
        }
    }

    @Test
    void givesUpOnAServerThatClosesTheConnection() throws IOException {
        try (TestServer server = TestServer.of(new MemoryDevice(SIZE))) {
            server.server().close();
            assertThatThrownBy(() -> NbdClient.connect(server.tcp(), TestServer.PATIENCE))
                    .isInstanceOf(IOException.class)
                    .hasMessageStartingWith("cannot connect to ");
        }
    }
}
