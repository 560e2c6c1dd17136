package io.leapnbd.tools.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;
import picocli.CommandLine.TypeConversionException;

class SizeTest {

    @ParameterizedTest
    @CsvSource({
        "0, 0",
        "4096, 4096",
        "4k, 4096",
        "512M, 536870912",
        "512MiB, 536870912",
        "512mb, 536870912",
        "2G, 2147483648",
        "3T, 3298534883328",
        "100B, 100"
    })
    void readsBinaryUnits(String text, long bytes) {
        assertThat(Size.parse(text).bytes()).isEqualTo(bytes);
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "M", "-1", "1.5G", "5X", "0x10", "5 G G", "٣M"})
    void refusesWhatIsNoSizeAndShowsOne(String text) {
        assertThatThrownBy(() -> Size.parse(text))
                .isInstanceOf(TypeConversionException.class)
                .hasMessageContaining("write it like 512M");
    }

    @ParameterizedTest
    @ValueSource(strings = {"8388608T", "9223372036854775808", "99999999999999999999G"})
    void refusesWhatOverflows(String text) {
        assertThatThrownBy(() -> Size.parse(text))
                .isInstanceOf(TypeConversionException.class)
                .hasMessageContaining("more than any machine has");
    }

    @ParameterizedTest
    @ValueSource(longs = {0, 1, 4096, 4097, 64 << 20, 3L << 30, 5L << 40, 2000L << 40})
    void writesWhatItReadsBack(long bytes) {
        assertThat(Size.parse(Size.format(bytes)).bytes()).isEqualTo(bytes);
    }

    @Test
    void writesTheLargestUnitThatIsExact() {
        assertThat(Size.format(512L << 20)).isEqualTo("512M");
        assertThat(Size.format((1L << 30) + 4096)).isEqualTo("1048580K");
    }

    @ParameterizedTest
    @CsvSource({"0, 0 B", "1023, 1023 B", "1536, 1.5 KiB", "67108864, 64 MiB", "1073741823, 1 GiB", "130000000, 124 MiB"
    })
    void approximatesForPeople(long bytes, String text) {
        assertThat(Size.approximate(bytes)).isEqualTo(text);
    }
}
