package io.leapnbd.tools.registry;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.leapnbd.tools.cli.HostPort;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import picocli.CommandLine.TypeConversionException;

class DonorSourceTest {

    @Test
    void readsAnEtcd() {
        DonorSource source = DonorSource.parse("etcd://h1:2379,10.0.0.2,[fe80::1]:99/lab-1");
        assertThat(source)
                .isInstanceOf(DonorSource.Etcd.class)
                .hasToString("etcd://h1:2379,10.0.0.2:2379,[fe80::1]:99/lab-1");
        assertThat(((DonorSource.Etcd) source).donors()).isEqualTo("/leap-nbd/lab-1/donors/");
    }

    @Test
    void readsANameInDns() {
        assertThat(DonorSource.parse("dns:_leap-nbd._tcp.example.org"))
                .isEqualTo(new DonorSource.Dns(null, "_leap-nbd._tcp.example.org"));
        assertThat(DonorSource.parse("dns://10.0.0.1:5353/_leap-nbd._tcp.lab"))
                .isEqualTo(new DonorSource.Dns(new HostPort("10.0.0.1", 5353), "_leap-nbd._tcp.lab"));
        assertThat(DonorSource.parse("dns:///_leap-nbd._tcp.lab")).hasToString("dns:_leap-nbd._tcp.lab");
    }

    @Test
    void readsAListAsBefore() {
        assertThat(DonorSource.parse("h1,rdma://h2:9401?zone=a"))
                .isInstanceOfSatisfying(
                        DonorSource.Named.class,
                        named -> assertThat(named.donors()).hasSize(2));
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "etcd://h1:2379 | names no pool",
                "etcd://h1:2379/ | names no pool",
                "etcd://h1/a/b | is no pool's name",
                "etcd:///lab | is not an address",
                "etcd://h1,/lab | is not an address",
                "etcd://h1:99999/lab | too high",
                "etcd://root:secret@h1/lab | --registry-user",
                "dns: | names no SRV record",
                "dns://10.0.0.1 | names no SRV record",
                "dns:a b | names no SRV record",
                "zk://h1/lab | is no transport",
            })
    void saysWhatIsWrong(String text, String words) {
        assertThatThrownBy(() -> DonorSource.parse(text))
                .isInstanceOf(TypeConversionException.class)
                .hasMessageContaining(words);
    }

    @Test
    void showsNoPasswordInAComplaint() {
        assertThatThrownBy(() -> DonorSource.parse("etcd://root:secret@h1/lab"))
                .message()
                .doesNotContain("secret");
    }
}
