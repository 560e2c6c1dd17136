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

    private Stream access(long page) {
        nanos += 1000;
        return table.access(page, 0, tick++, nanos);
    }

    @Test
    void accessesInStepAreOneStream() {
        Stream stream = access(1000);
        for (int i = 1; i < 50; i++) {
            assertThat(access(1000 + 10L * i)).isEqualTo(stream);
        }

        assertThat(stream.stride()).isEqualTo(10);
        assertThat(stream.run()).isEqualTo(49);
        assertThat(stream.last()).isEqualTo(1490);
        assertThat(stream.direction()).isEqualTo(1);
        assertThat(stream.interval()).isEqualTo(1000);
    }

    @Test
    void aStreamMayRunDownwards() {
        access(1000);
        access(993);
        Stream stream = access(986);

        assertThat(stream.stride()).isEqualTo(-7);
        access(979);
        assertThat(stream.direction()).isEqualTo(-1);
    }

    @Test
    void streamsThatAreMixedAreToldApart() {
        Random random = new Random(1);
        long[] at = new long[32];
        Stream[] streams = new Stream[32];
        for (int i = 0; i < 4000; i++) {
            int which = random.nextInt(32);
            at[which] += which % 2 == 0 ? which + 1 : -which - 1;
            streams[which] = access(1_000_000 + 100_000L * which + at[which]);
        }

        Set<Stream> distinct = new HashSet<>();
        for (int which = 0; which < 32; which++) {
            assertThat(streams[which].stride()).isEqualTo(which % 2 == 0 ? which + 1 : -which - 1);
            distinct.add(streams[which]);
        }
        assertThat(distinct).hasSize(32);
    }

    @Test
    void aStreamThatSkipsAFewStepsIsStillFollowed() {
        Stream stream = access(0);
        for (int i = 1; i <= 8; i++) {
            access(3L * i);
        }
        assertThat(access(24 + 15)).isEqualTo(stream);
        assertThat(stream.stride()).isEqualTo(3);
        assertThat(stream.run()).isEqualTo(4);
    }

    @Test
    void aStrayAccessDoesNotUnsettleAStream() {
        Stream stream = access(0);
        for (int i = 1; i <= 8; i++) {
            access(i);
        }
        assertThat(access(100)).isNotEqualTo(stream);
        assertThat(access(9)).isEqualTo(stream);
        assertThat(stream.run()).isEqualTo(9);
    }

    @Test
    void settledStreamsOutliveStrayAccesses() {
        Stream stream = access(0);
        for (int i = 1; i <= 8; i++) {
            access(i);
        }
        for (int i = 1; i <= 1000; i++) {
            access(1_000_000L * i);
        }
        assertThat(access(9)).isEqualTo(stream);
        assertThat(stream.run()).isEqualTo(9);
    }

    @Test
    void theSamePageAgainChangesNothing() {
        access(5);
        Stream stream = access(6);

        assertThat(access(6)).isEqualTo(stream);
        assertThat(stream.run()).isEqualTo(1);
        assertThat(stream.stride()).isEqualTo(1);
    }

    @Test
    void whatHasBeenProposedAheadIsUsedUpByMovingOn() {
        Stream stream = access(0);
        access(2);
        stream.ahead(Circumstances.ALONG, 5);
        access(4);
        assertThat(stream.ahead(Circumstances.ALONG)).isEqualTo(4);
        access(8);
        assertThat(stream.ahead(Circumstances.ALONG)).isEqualTo(2);
    }

    @Test
    void pagesThatComeLateAreAskedForEarlier() {
        Stream stream = access(0);
        for (int i = 0; i < 40; i++) {
            stream.timed(10, 100);
        }
        assertThat(stream.lead()).isEqualTo(10);
        for (int i = 0; i < 80; i++) {
            stream.timed(1000, 100);
        }
        assertThat(stream.lead()).isEqualTo(5);
    }

    @Test
    void accessesAtOnceAreOneStepOfTheStreamsPace() {
        Stream stream = access(0);
        for (int request = 0; request < 20; request++) {
            nanos += 5000;
            for (int i = 1; i <= 4; i++) {
                stream = table.access(request * 4L + i, 0, tick++, nanos);
            }
        }
        assertThat(stream.burst()).isEqualTo(4);
        assertThat(stream.interval()).isEqualTo(5000);
        for (int i = 1; i <= 20; i++) {
            stream = access(80 + i);
        }
        assertThat(stream.burst()).isEqualTo(1);
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
            long page = (i & 1) == 0 ? 0 : far - 1;
            assertThat(access(page).last()).isEqualTo(page);
        }
    }
}
