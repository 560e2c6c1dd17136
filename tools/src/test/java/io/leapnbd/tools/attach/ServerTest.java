package io.leapnbd.tools.attach;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.leapnbd.tools.client.ExportInfo;
import io.leapnbd.tools.client.Server;
import io.leapnbd.tools.linux.Endpoint;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.file.Path;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class ServerTest {
    @Test
    void a_unix_uri_names_socket_and_export() {
        Server server = Server.parse("nbd+unix:///leap?socket=/run/a%20b.sock");
        assertThat(server.endpoints()).containsExactly(new Endpoint.Unix(Path.of("/run/a b.sock")));
        assertThat(server.export()).isEqualTo("leap");
    }

    @Test
    void a_sockets_path_stands_for_the_default_export_behind_it() {
        Server server = Server.parse("/run/leap nbd/a.sock");
        assertThat(server.endpoints()).containsExactly(new Endpoint.Unix(Path.of("/run/leap nbd/a.sock")));
        assertThat(server.export()).isEmpty();
        assertThat(Server.parse(server.uri())).isEqualTo(server);
        assertThat(Server.parse("nbd+unix:///?socket=/run/leap%20nbd/a.sock").endpoints())
                .isEqualTo(server.endpoints());
    }

    @Test
    void the_same_place_in_other_words_is_the_same_place() {
        Server server = Server.parse("nbd+unix:///?socket=/run/a.sock");
        assertThat(server.isAt("/run/a.sock")).isTrue();
        assertThat(server.isAt("nbd+unix:///leap?socket=/run/a.sock")).isFalse();
        assertThat(server.isAt("/run/b.sock")).isFalse();
        assertThat(server.isAt("no URI")).isFalse();
        assertThat(Server.parse("nbd://127.0.0.1/x").isAt("nbd://127.0.0.1:10809/x"))
                .isTrue();
    }

    @Test
    void a_tcp_uri_has_the_protocols_port_by_default() {
        InetAddress local = InetAddress.ofLiteral("127.0.0.1");
        assertThat(Server.parse("nbd://127.0.0.1").endpoints()).containsExactly(new Endpoint.Inet(local, 10809));
        assertThat(Server.parse("nbd://127.0.0.1:99/x").endpoints()).containsExactly(new Endpoint.Inet(local, 99));
    }

    @ParameterizedTest
    @CsvSource({
        "nbds://h/x, 'nbds: means TLS, but the kernel''s NBD client speaks no TLS: run serve on this machine'",
        "NBDS://h/x, TLS",
        "nbds+unix:///x?socket=/s, 'over a Unix socket serve asks for none: write nbd+unix:'",
        "http://h/x, does not start with nbd",
        "nbd+unix:///x, has no socket",
        "nbd:///x, has no host",
        "'a b', not a URI"
    })
    void what_is_not_understood_is_refused_with_what_would_be_right(String uri, String part) {
        assertThatThrownBy(() -> Server.parse(uri))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining(part);
    }

    @Test
    void what_the_server_says_of_the_export_arrives(@TempDir Path directory) throws IOException {
        Path path = directory.resolve("s");
        try (ScriptedServer scripted = new ScriptedServer(path, "a device, content=7f-3")) {
            Server.Link link = ScriptedServer.at(path).open(System.nanoTime() + TimeUnit.SECONDS.toNanos(20));
            link.channel().close();
            assertThat(link.info())
                    .isEqualTo(new ExportInfo(ScriptedServer.SIZE, ScriptedServer.FLAGS, "a device, content=7f-3"));
            assertThat(link.info().content()).contains("7f-3");
            assertThat(link.name()).as("the server's own name").isEqualTo("leap");
            scripted.drop();
        }
    }

    @Test
    void a_server_that_wants_tls_is_refused_with_what_to_do_instead(@TempDir Path directory) throws IOException {
        Path path = directory.resolve("s");
        try (ServerSocketChannel listener =
                ServerSocketChannel.open(StandardProtocolFamily.UNIX).bind(UnixDomainSocketAddress.of(path))) {
            Thread.ofVirtual().start(() -> {
                try (SocketChannel client = listener.accept()) {
                    client.write(ByteBuffer.allocate(18)
                            .putLong(0x4e42444d41474943L)
                            .putLong(0x49484156454f5054L)
                            .putShort((short) 3)
                            .flip());
                    // NBD_REP_ERR_TLS_REQD to GO.
                    client.write(ByteBuffer.allocate(20)
                            .putLong(0x3e889045565a9L)
                            .putInt(7)
                            .putInt(0x80000005)
                            .putInt(0)
                            .flip());
                    client.read(ByteBuffer.allocate(4096));
                    client.read(ByteBuffer.allocate(4096));
                } catch (IOException e) {
                    throw new UncheckedIOException(e);
                }
            });
            assertThatThrownBy(() -> ScriptedServer.at(path).open(System.nanoTime() + TimeUnit.SECONDS.toNanos(20)))
                    .isInstanceOf(IOException.class)
                    .hasMessage(
                            "the server requires TLS, and the kernel's NBD client speaks no TLS: run serve on this machine"
                                    + " and attach its Unix socket; it encrypts pages on their way to donors (--encrypt)");
        }
    }

    @Test
    void pages_that_leave_the_machine_as_they_are_are_spoken_of() {
        assertThat(Server.parse("nbd://192.0.2.7/x").exposure())
                .get()
                .asString()
                .startsWith("pages go to 192.0.2.7:10809 as they are")
                .contains("speaks no TLS; run serve on this machine");
        assertThat(Server.parse("nbd://127.0.0.1/x").exposure()).isEmpty();
        assertThat(Server.parse("/run/leap.sock").exposure()).isEmpty();
    }

    @Test
    void another_size_flag_or_content_is_another_export() {
        ExportInfo before = new ExportInfo(4096, 5, "x content=a");
        assertThat(new ExportInfo(4096, 5, "renamed content=a").differenceFrom(before))
                .isEmpty();
        assertThat(new ExportInfo(8192, 5, "x content=a").differenceFrom(before))
                .isPresent();
        assertThat(new ExportInfo(4096, 7, "x content=a").differenceFrom(before))
                .isPresent();
        assertThat(new ExportInfo(4096, 5, "x").differenceFrom(before)).isPresent();
        assertThat(new ExportInfo(4096, 5, "x discontent=a").differenceFrom(before))
                .isPresent();
    }
}
