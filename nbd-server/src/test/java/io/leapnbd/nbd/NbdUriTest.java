package io.leapnbd.nbd;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class NbdUriTest {

    @Test
    void readsTcpUris() {
        assertThat(NbdUri.parse("nbd://host")).isEqualTo(NbdUri.tcp("host", 10809, ""));
        assertThat(NbdUri.parse("nbd://host/")).isEqualTo(NbdUri.tcp("host", 10809, ""));
        assertThat(NbdUri.parse("nbd://10.0.0.1:9400/leap")).isEqualTo(NbdUri.tcp("10.0.0.1", 9400, "leap"));
        assertThat(NbdUri.parse("nbd://[::1]:9400//a%20b")).isEqualTo(NbdUri.tcp("::1", 9400, "/a b"));
    }

    @Test
    void readsUnixUris() {
        assertThat(NbdUri.parse("nbd+unix:///?socket=/run/leap.sock")).isEqualTo(NbdUri.unix("/run/leap.sock", ""));
        assertThat(NbdUri.parse("nbd+unix:///leap?x=1&socket=%2Frun%2Fa+b%20c"))
                .isEqualTo(NbdUri.unix("/run/a+b c", "leap"));
    }

    @Test
    void readsUrisWithTls() {
        assertThat(NbdUri.parse("nbds://host/leap?tls-certificates=/etc/pki/nbd"))
                .isEqualTo(NbdUri.tcp("host", 10809, "leap").withTls("/etc/pki/nbd"));
        assertThat(NbdUri.parse("nbds+unix:///?socket=/run/x").tls()).isTrue();
        assertThat(NbdUri.parse("nbd://host?tls-certificates=/etc/pki/nbd").tls())
                .isFalse();
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "nbd://host:1/",
                "nbd://[::1]:10809/a%20b",
                "nbd://h:2//slash",
                "nbd+unix:///?socket=/run/x",
                "nbd+unix:///caf%C3%A9?socket=/run/a%20b",
                "nbds://host",
                "nbds://host:1?tls-certificates=/etc/pki/a%20b",
                "nbds+unix:///leap?socket=/run/x&tls-certificates=/etc/pki/nbd"
            })
    void writesWhatItReads(String text) {
        NbdUri uri = NbdUri.parse(text);
        assertThat(NbdUri.parse(uri.toString())).isEqualTo(uri);
        assertThat(uri.withExport("").withExport(uri.export())).isEqualTo(uri);
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "http://host",
                "nbds:///export",
                "nbds://host/?tls-psk-file=/etc/keys.psk",
                "nbds+unix:///export",
                "nbd:///export",
                "nbd+unix:///export",
                "nbd+unix:///?socket=",
                "host:10809",
                "nbd://host:0",
                "nbd://host:70000",
                "nbd://a b"
            })
    void refusesWhatIsNotOne(String text) {
        assertThatThrownBy(() -> NbdUri.parse(text))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageStartingWith("'" + text + "'");
    }
}
