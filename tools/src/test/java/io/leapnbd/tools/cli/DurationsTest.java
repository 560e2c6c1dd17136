package io.leapnbd.tools.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.time.Duration;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;
import picocli.CommandLine.TypeConversionException;

class DurationsTest {

    @ParameterizedTest
    @CsvSource({
        "100ns, 100",
        "50us, 50000",
        "50µs, 50000",
        "500ms, 500000000",
        "10s, 10000000000",
        "2m, 120000000000",
        "1h, 3600000000000",
        "0s, 0"
    })
    void readsUnits(String text, long nanos) {
        assertThat(Durations.parse(text)).isEqualTo(Duration.ofNanos(nanos));
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "10", "s", "-5s", "1.5s", "10 parsecs"})
    void refusesWhatHasNoUnitAndShowsOne(String text) {
        assertThatThrownBy(() -> Durations.parse(text))
                .isInstanceOf(TypeConversionException.class)
                .hasMessageContaining("with its unit, like 50us");
    }

    @ParameterizedTest
    @ValueSource(strings = {"0s", "7ns", "50us", "1500ms", "20s", "90s", "2m", "1h"})
    void writesWhatItReadsBack(String text) {
        assertThat(Durations.parse(Durations.format(Durations.parse(text)))).isEqualTo(Durations.parse(text));
    }

    @ParameterizedTest
    @CsvSource({
        "0, 0 ns",
        "999, 999 ns",
        "999.6, 1.00 µs",
        "64250, 64.3 µs",
        "999600, 1.00 ms",
        "1250000, 1.25 ms",
        "123456789, 123 ms",
        "2000000000, 2.00 s"
    })
    void approximatesInThreeDigits(double nanos, String text) {
        assertThat(Durations.approximate(nanos)).isEqualTo(text);
    }
}
