package io.leapnbd.prefetch;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class PageLogTest {

    @Test
    void aPageIsFoundWhereItWasLast() {
        PageLog log = new PageLog(8, 1000);
        for (long page : new long[] {5, 6, 7, 5}) {
            log.record(page);
        }

        assertThat(log.position(5)).isEqualTo(3);
        assertThat(log.position(6)).isEqualTo(1);
        assertThat(log.page(0)).isEqualTo(5);
        assertThat(log.page(2)).isEqualTo(7);
        assertThat(log.page(4)).isEqualTo(PageLog.NONE);
        assertThat(log.page(-1)).isEqualTo(PageLog.NONE);
        assertThat(log.position(8)).isEqualTo(PageLog.NONE);
        assertThat(log.head()).isEqualTo(4);
    }

    @Test
    void whatTheRingHasNoRoomForIsForgotten() {
        PageLog log = new PageLog(8, 1000);
        for (long page = 100; page < 112; page++) {
            log.record(page);
        }

        assertThat(log.position(103)).isEqualTo(PageLog.NONE);
        assertThat(log.page(3)).isEqualTo(PageLog.NONE);
        assertThat(log.position(104)).isEqualTo(4);
        assertThat(log.page(11)).isEqualTo(111);
    }

    @Test
    void aForgottenPageHasNoPositionButItsNeighboursStay() {
        PageLog log = new PageLog(8, 1000);
        log.record(1);
        log.record(2);
        log.forget(1);

        assertThat(log.position(1)).isEqualTo(PageLog.NONE);
        assertThat(log.page(0)).isEqualTo(1);
        assertThat(log.position(2)).isEqualTo(1);
    }

    @Test
    void aPageThatDoesNotFitIsNotRemembered() {
        PageLog log = new PageLog(8, PageLog.PAGE_LIMIT);
        log.record(PageLog.PAGE_LIMIT);
        log.forget(PageLog.PAGE_LIMIT);
        log.record(PageLog.PAGE_LIMIT - 1);

        assertThat(log.position(PageLog.PAGE_LIMIT)).isEqualTo(PageLog.NONE);
        assertThat(log.position(PageLog.PAGE_LIMIT - 1)).isZero();
        assertThat(log.page(0)).isEqualTo(PageLog.PAGE_LIMIT - 1);
    }

    /** Against a list and a map that forget nothing. */
    @ParameterizedTest
    @CsvSource({"1, 1", "2, 1", "3, 1", "4, 16", "5, 65536", "6, 1048576", "7, 1431655"})
    void aLogSaysNothingThatIsNotSo(long seed, long apart) {
        int length = 1024;
        PageLog log = new PageLog(length, 3000 * apart);
        List<Long> all = new ArrayList<>();
        Map<Long, Integer> last = new HashMap<>();
        Random random = new Random(seed);
        int known = 0;
        int asked = 0;
        for (int i = 0; i < 50_000; i++) {
            long page = apart * (random.nextInt(4) == 0 ? random.nextInt(3000) : i % 2000);
            if (random.nextInt(20) == 0) {
                log.forget(page);
                last.remove(page);
            } else {
                log.record(page);
                last.put(page, all.size());
                all.add(page);
            }
            long other = apart * random.nextInt(3000);
            int at = last.getOrDefault(other, -1);
            boolean remembered = at >= 0 && at >= all.size() - length;
            long position = log.position(other);
            if (remembered) {
                asked++;
                known += position == at ? 1 : 0;
                assertThat(position).isIn((long) at, PageLog.NONE);
                assertThat(log.page(at)).isEqualTo(other);
            } else {
                assertThat(position).isEqualTo(PageLog.NONE);
            }
        }
        assertThat(known).as("of %s", asked).isGreaterThan(asked * 97 / 100);
    }
}
