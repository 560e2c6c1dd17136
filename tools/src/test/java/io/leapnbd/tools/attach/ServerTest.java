package io.leapnbd.tools.attach;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.leapnbd.tools.linux.Endpoint;
import java.io.IOException;
import java.net.InetAddress;
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
        "nbds://h/x, TLS",
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
