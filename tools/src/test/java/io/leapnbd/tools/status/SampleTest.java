package io.leapnbd.tools.status;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import io.leapnbd.tools.cli.HostPort;
import io.leapnbd.tools.http.EndpointClient;
import org.junit.jupiter.api.Test;

class SampleTest {

    private static final String BUCKET = "leap_request_duration_seconds_bucket{operation=\"read\",stage=\"total\",le=";

    private final Sample before = Sample.parse(metrics(100, 10, 20, 100), 0);
    private final Sample after = Sample.parse(metrics(300, 110, 200, 300), 2_000_000_000L);

    @Test
    void readsValuesAndSkipsComments() {
        assertThat(before.value("leap_requests_total{operation=\"read\"}")).isEqualTo(100);
        assertThat(before.value("leap_nothing")).isZero();
        assertThat(before.labels("leap_requests_total", "operation")).containsExactly("read", "write");
    }

    @Test
    void theSeriesOfAnExportAreReadWithoutItsName() {
        Sample sample = Sample.parse("""
                        leap_device_size_bytes{export="a"} 1.0
                        leap_device_size_bytes{export="b"} 2.0
                        leap_requests_total{export="a",operation="read"} 3.0
                        leap_requests_total{export="b",operation="read"} 4.0
                        leap_connections 5.0
                        """, 0).ofExport();
        assertThat(sample.value("leap_device_size_bytes")).isEqualTo(1);
        assertThat(sample.value("leap_requests_total{operation=\"read\"}")).isEqualTo(3);
        assertThat(sample.value("leap_connections")).isEqualTo(5);
        assertThat(sample.values()).hasSize(3);
    }

    @Test
    void aFrameFitsItsWindow() {
        String frame = Screen.frame("one\ntwo two\nthree\nfour\n", 4, 5, new Paint(false));
        assertThat(frame.replace("\033[K", "")).isEqualTo("\033[Hone\r\ntwo t\r\n… 2 l\r\n\033[J");
        assertThat(Screen.frame("one\n", 4, 5, new Paint(false))).doesNotContain("\033[1m");
        assertThat(Screen.frame("one\n", 4, 5, new Paint(true))).contains("\033[1mone\033[m");
    }

    @Test
    void whatIsDegradedIsTakenFromTheStatus() {
        assertThat(TopCommand.degraded("up\n\ndegraded:\n  a\n  b\n\nsecurity:\n  ok x\n"))
                .isEqualTo("\ndegraded: a\ndegraded: b\n");
        assertThat(TopCommand.degraded("up\n\nsecurity:\n  ok x\n")).isEmpty();
    }

    @Test
    void ratesAreOfASecond() {
        assertThat(after.rate(before, "leap_requests_total{operation=\"read\"}"))
                .isEqualTo(100);
        assertThat(before.rate(after, "leap_requests_total{operation=\"read\"}"))
                .isZero();
    }

    @Test
    void latenciesAreOfTheRequestsBetweenTheSamples() {
        // Of 200 requests between them, 100 took up to 10 µs, 80 more up to 20 µs.
        assertThat(after.latency(before, "read", 0.5)).isCloseTo(10_000, within(1.0));
        assertThat(after.latency(before, "read", 0.7)).isCloseTo(15_000, within(1.0));
        assertThat(after.latency(before, "read", 0.99)).isCloseTo(20_000, within(1.0));
        assertThat(after.latency(before, "write", 0.5)).isNaN();
        assertThat(before.latency(before, "read", 0.5)).isNaN();
    }

    @Test
    void thePictureShowsOperationsAndDonors() {
        String picture = TopCommand.picture(new EndpointClient(new HostPort("127.0.0.1", 9480)), before, after);
        assertThat(picture)
                .contains("http://127.0.0.1:9480", "8 MiB of 64 MiB written")
                .containsPattern("(?m)^read +100 +10\\.0 µs +20\\.0 µs +300$")
                .containsPattern("(?m)^tcp://h:1 +up +no +2 +5 +11 +16 +0$")
                .doesNotContain("write  ", "degraded");
    }

    private static String metrics(int reads, int upTo10, int upTo20, int all) {
        return """
                # HELP leap_requests_total NBD requests
                # TYPE leap_requests_total counter
                leap_requests_total{operation="read"} %d.0
                leap_requests_total{operation="write"} 0.0
                leap_pages_written 2048.0
                leap_device_size_bytes 6.7108864E7
                leap_donor_up{donor="tcp://h:1"} 1.0
                leap_donor_links{donor="tcp://h:1"} 2.0
                leap_donor_slabs_held{donor="tcp://h:1"} 5.0
                leap_donor_slabs_free{donor="tcp://h:1"} 11.0
                leap_donor_slabs{donor="tcp://h:1"} 16.0
                """.formatted(reads)
                + BUCKET + "\"1.0E-5\"} " + upTo10 + "\n"
                + BUCKET + "\"2.0E-5\"} " + upTo20 + "\n"
                + BUCKET + "\"+Inf\"} " + all + "\n";
    }
}
