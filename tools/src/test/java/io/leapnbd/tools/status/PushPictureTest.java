package io.leapnbd.tools.status;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

class PushPictureTest {

    private static final String METRICS = """
            leap_push_records_total %d
            leap_push_records_lost_total 3
            leap_push_announced_total %d
            leap_push_faults_total{pid="42"} %d
            leap_push_major_total{pid="42"} %d
            leap_push_hits_total{pid="42"} %d
            leap_push_pushed_total{pid="42"} %d
            leap_push_lead{pid="42"} 64
            leap_push_trend{pid="42"} 10
            """;

    @Test
    void anAgentIsShownByProcessAndSecond() {
        Sample before = Sample.parse(METRICS.formatted(0, 0, 0, 0, 0, 0), 0);
        Sample now = Sample.parse(METRICS.formatted(1000, 200, 1000, 10, 190, 220), 1_000_000_000);
        assertThat(PushPicture.fits(now)).isTrue();
        assertThat(PushPicture.of("127.0.0.1:1", before, now))
                .contains("1,000 records a second, 3 lost", "200 pages announced a second")
                .containsPattern("42 +1,000 +10 +220 +190 +95 % +100 % +0 +64 +10");
    }
}
