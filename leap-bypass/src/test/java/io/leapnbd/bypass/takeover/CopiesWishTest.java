package io.leapnbd.bypass.takeover;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import org.junit.jupiter.api.Test;

class CopiesWishTest {

    private static final long SIZE = 1000;

    private static CopiesWish two(Integer... machines) {
        return new CopiesWish(2, true, List.of(machines));
    }

    @Test
    void thereAreTwoWhereTwoMachinesHoldThem() {
        assertThat(two(0, 1).granted(SIZE, List.of(1000L, 1000L), 0)).isEqualTo(2);
        assertThat(two(0, 1, 2).granted(SIZE, List.of(500L, 700L, 800L), 0)).isEqualTo(2);
        assertThat(two(0, 1).granted(SIZE, List.of(5000L, 5000L), 0)).isEqualTo(2);
    }

    @Test
    void thereIsOneWhereTheyDoNot() {
        assertThat(two(0, 1).granted(SIZE, List.of(1000L, 999L), 0)).isEqualTo(1);
        // Whatever is beyond the size of the device would be a second copy on one machine.
        assertThat(two(0, 1).granted(SIZE, List.of(5000L, 900L), 0)).isEqualTo(1);
        assertThat(two(0, 0).granted(SIZE, List.of(5000L, 5000L), 0)).isEqualTo(1);
        assertThat(two(0, 0, 1).granted(SIZE, List.of(600L, 600L, 999L), 0)).isEqualTo(1);
        assertThat(two(0, 1).granted(SIZE, List.of(0L, 0L), 0)).isEqualTo(1);
    }

    /** A restart while a donor drains: it says that it has no room. */
    @Test
    void aDonorThatGivesItsMemoryBackDoesNotTakeTheSecondCopyAway() {
        assertThat(two(0, 1, 2).granted(SIZE, List.of(1000L, 800L, 0L), 0)).isEqualTo(1);
        assertThat(two(0, 1, 2).granted(SIZE, List.of(1000L, 800L, 0L), 2)).isEqualTo(2);
        // More than this start's default, and fewer, as there are machines.
        assertThat(two(0, 1).granted(SIZE, List.of(1000L, 1000L), 3)).isEqualTo(2);
        assertThat(new CopiesWish(1, true, List.of(0, 0)).granted(SIZE, List.of(1000L, 0L), 2))
                .isEqualTo(1);
    }

    @Test
    void whatWasAskedForInSoManyWordsStays() {
        CopiesWish asked = new CopiesWish(2, false, List.of(0, 1));
        assertThat(asked.granted(SIZE, List.of(1000L, 500L), 0)).isEqualTo(2);
        assertThat(asked.fitting(SIZE, List.of(1000L, 500L))).isEqualTo(1);
    }
}
