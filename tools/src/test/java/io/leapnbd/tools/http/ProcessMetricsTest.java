package io.leapnbd.tools.http;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

class ProcessMetricsTest {

    @Test
    void readsWhatTheKernelSays() {
        assertThat(ProcessMetrics.cpuSeconds("7 (a ) b) S 1 7 7 0 -1 4194560 1 2 3 4 150 50 0 0 20 0 1"))
                .isEqualTo(2.0);
        assertThat(ProcessMetrics.kibibytes("Name:\tjava\nVmRSS:\t   1234 kB\n", "VmRSS:"))
                .isEqualTo(1234);
        assertThat(ProcessMetrics.limit("Max open files            1024                 524288               files\n"))
                .isEqualTo(1024);
        assertThat(ProcessMetrics.limit("Max open files            unlimited            unlimited            files\n"))
                .isInfinite();
    }
}
