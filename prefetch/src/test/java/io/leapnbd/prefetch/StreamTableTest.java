package io.leapnbd.prefetch;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.HashSet;
import java.util.Random;
import java.util.Set;
import org.junit.jupiter.api.Test;

class StreamTableTest {

    private final StreamTable table = new StreamTable(128);
    private long tick;
    private long nanos;

    private int access(long page) {
        nanos += 1000;
        return table.access(page, 0, tick++, nanos);
    }

    @Test
    void accessesInStepAreOneStream() {
        int stream = access(1000);
        for (int i = 1; i < 50; i++) {
            assertThat(access(1000 + 10L * i)).isEqualTo(stream);
        }

        assertThat(table.stride(stream)).isEqualTo(10);
        assertThat(table.run(stream)).isEqualTo(49);
        assertThat(table.last(stream)).isEqualTo(1490);
        assertThat(table.direction(stream)).isEqualTo(1);
        assertThat(table.interval(stream)).isEqualTo(1000);
    }

    @Test
    void aStreamMayRunDownwards() {
        access(1000);
        access(993);
        int stream = access(986);

        assertThat(table.stride(stream)).isEqualTo(-7);
        access(979);
        assertThat(table.direction(stream)).isEqualTo(-1);
    }

    @Test
    void streamsThatAreMixedAreToldApart() {
        Random random = new Random(1);
        long[] at = new long[32];
        int[] streams = new int[32];
        for (int i = 0; i < 4000; i++) {
            int which = random.nextInt(32);
            at[which] += which % 2 == 0 ? which + 1 : -which - 1;
            streams[which] = access(1_000_000 + 100_000L * which + at[which]);
        }

        Set<Integer> distinct = new HashSet<>();
        for (int which = 0; which < 32; which++) {
            assertThat(table.stride(streams[which])).isEqualTo(which % 2 == 0 ? which + 1 : -which - 1);
            distinct.add(streams[which]);
        }
        assertThat(distinct).hasSize(32);
    }

    @Test
    void aStreamThatSkipsAFewStepsIsStillFollowed() {
        int stream = access(0);
        for (int i = 1; i <= 8; i++) {
            access(3L * i);
        }
        assertThat(access(24 + 15)).isEqualTo(stream);
        assertThat(table.stride(stream)).isEqualTo(3);
        assertThat(table.run(stream)).isEqualTo(4);
    }

    @Test
    void aStrayAccessDoesNotUnsettleAStream() {
        int stream = access(0);
        for (int i = 1; i <= 8; i++) {
            access(i);
        }
        assertThat(access(100)).isNotEqualTo(stream);
        assertThat(access(9)).isEqualTo(stream);
        assertThat(table.run(stream)).isEqualTo(9);
    }

    @Test
    void settledStreamsOutliveStrayAccesses() {
        int stream = access(0);
        for (int i = 1; i <= 8; i++) {
            access(i);
        }
        for (int i = 1; i <= 1000; i++) {
            access(1_000_000L * i);
        }
        assertThat(access(9)).isEqualTo(stream);
        assertThat(table.run(stream)).isEqualTo(9);
    }

    @Test
    void theSamePageAgainChangesNothing() {
        access(5);
        int stream = access(6);

        assertThat(access(6)).isEqualTo(stream);
        assertThat(table.run(stream)).isEqualTo(1);
        assertThat(table.stride(stream)).isEqualTo(1);
    }

    @Test
    void whatHasBeenProposedAheadIsUsedUpByMovingOn() {
        int stream = access(0);
        access(2);
        table.ahead(stream, Circumstances.ALONG, 5);
        access(4);
        assertThat(table.ahead(stream, Circumstances.ALONG)).isEqualTo(4);
        access(8);
        assertThat(table.ahead(stream, Circumstances.ALONG)).isEqualTo(2);
    }

    @Test
    void pagesThatComeLateAreAskedForEarlier() {
        int stream = access(0);
        int serial = table.serial(stream);
        for (int i = 0; i < 40; i++) {
            table.timed(stream, serial, 10, 100);
        }
        assertThat(table.lead(stream)).isEqualTo(10);
        for (int i = 0; i < 80; i++) {
            table.timed(stream, serial, 1000, 100);
        }
        assertThat(table.lead(stream)).isEqualTo(5);
        table.timed(stream, serial + 1, 10, 100);
        assertThat(table.lead(stream)).isEqualTo(5);
    }

    @Test
    void accessesAtOnceAreOneStepOfTheStreamsPace() {
        int stream = access(0);
        for (int request = 0; request < 20; request++) {
            nanos += 5000;
            for (int i = 1; i <= 4; i++) {
                stream = table.access(request * 4L + i, 0, tick++, nanos);
            }
        }
        assertThat(table.burst(stream)).isEqualTo(4);
        assertThat(table.interval(stream)).isEqualTo(5000);
        for (int i = 1; i <= 20; i++) {
            stream = access(80 + i);
        }
        assertThat(table.burst(stream)).isEqualTo(1);
    }

    @Test
    void accessesAtOnceAreTakenInTheDirectionThatContinuesAStream() {
        assertThat(table.downwards(992, 999)).isFalse();
        for (int i = 0; i < 4; i++) {
            access(1000 - i);
        }
        assertThat(table.downwards(989, 996)).as("its next step").isTrue();
        assertThat(table.downwards(985, 992)).as("near it").isTrue();
        assertThat(table.downwards(5000, 5007)).as("far from it").isFalse();
        for (int i = 0; i < 4; i++) {
            access(2000 + i);
        }
        assertThat(table.downwards(2004, 2011)).isFalse();
    }

    @Test
    void extremePagesDoNotOverflow() {
        long far = 1L << 40;
        for (int i = 0; i < 1000; i++) {
            int stream = access((i & 1) == 0 ? 0 : far - 1);
            assertThat(stream).isBetween(0, StreamTable.STREAMS - 1);
        }
    }
}
