package io.leapnbd.tools.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.catchThrowable;

import java.io.File;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import picocli.CommandLine.TypeConversionException;

class DonorAddressTest {

    @Test
    void readsHostsWithAndWithoutSchemeAndPort() {
        assertThat(parse("tcp://10.0.0.2:9500,donor-b:9401, donor-c ,[fe80::1%eth0]:9402,[::1]"))
                .containsExactly(
                        "tcp://10.0.0.2:9500",
                        "tcp://donor-b:9401",
                        "tcp://donor-c:9400",
                        "tcp://[fe80::1%eth0]:9402",
                        "tcp://[::1]:9400");
    }

    @Test
    void readsTheFormOfLeapWhichCountsItsDonors() {
        assertThat(parse("rdma://2,a:1,b:2,c:3,rdma://d:4"))
                .containsExactly("rdma://a:1", "rdma://b:2", "tcp://c:3", "rdma://d:4");
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "'' | empty place",
                "a:1,,b:2 | empty place",
                "rdma://3,a:1,b:2 | announces 3 donors and lists 2",
                "a:1,tcp://a:1 | listed twice",
                "http://a:1 | no transport",
                "a:70000 | ports end at 65535",
                "a:0 | port 0",
                "a:b | not an address",
                "fe80::1 | in brackets",
                "a b:1 | not an address"
            })
    void refusesWhatIsNoListAndSaysWhy(String text, String why) {
        assertThatThrownBy(() -> DonorAddress.parseList(text))
                .isInstanceOf(TypeConversionException.class)
                .hasMessageContaining(why);
    }

    @Test
    void refusesRdmaWithTheListThatWouldWorkUnlessThereIsADevice() {
        List<DonorAddress> donors = DonorAddress.parseList("rdma://2,a:1,b:2");
        Throwable refusal = catchThrowable(() -> DonorAddress.requireTransports(donors));
        if (refusal == null) {
            assertThat(thereIsADevice()).isTrue();
        } else {
            assertThat(refusal).hasMessageContaining("RDMA").hasMessageEndingWith("tcp://a:1,tcp://b:2");
        }
    }

    private static boolean thereIsADevice() {
        String[] devices = new File("/sys/class/infiniband").list();
        return devices != null && devices.length > 0;
    }

    @Test
    void takesTheZoneForTheMachineAndOtherwiseTheHost() {
        List<DonorAddress> donors = DonorAddress.parseList("a:1?zone=rack1, rdma://b:2?zone=rack1,c:3");
        assertThat(donors.stream().map(DonorAddress::machine)).containsExactly("zone rack1", "zone rack1", "c");
        assertThat(donors.stream().map(DonorAddress::toString)).containsExactly("tcp://a:1", "rdma://b:2", "tcp://c:3");
    }

    private static List<String> parse(String text) {
        return DonorAddress.parseList(text).stream().map(DonorAddress::toString).toList();
    }
}
