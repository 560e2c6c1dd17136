package io.leapnbd.prefetch.replay;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.util.Arrays;
import java.util.Set;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class SyntheticTraceTest {

    private static long[] pages(String kind, long device, int requests) {
        Trace trace = SyntheticTrace.parse(kind).generate(device, requests, 15_000, 1);
        return IntStream.range(0, trace.size()).mapToLong(trace::firstPage).toArray();
    }

    private static long[] deltas(long[] pages, long device) {
        return IntStream.range(1, pages.length)
                .mapToLong(i -> Math.floorMod(pages[i] - pages[i - 1], device))
                .toArray();
    }

    @Test
    void aStrideGoesOnAroundTheEndOfTheDevice() {
        assertThat(deltas(pages("sequential", 1000, 5000), 1000)).containsOnly(1);
        assertThat(deltas(pages("reverse", 1000, 5000), 1000)).containsOnly(999);
        assertThat(deltas(pages("stride:10", 1001, 5000), 1001)).containsOnly(10);
        assertThat(deltas(pages("stride:-7", 1000, 5000), 1000)).containsOnly(993);
    }

    @Test
    void interleavedStreamsStayInTheirParts() {
        long[] pages = pages("interleaved:4", 4000, 8000);
        for (int stream = 0; stream < 4; stream++) {
            long from = stream * 1000L;
            long[] own = Arrays.stream(pages)
                    .filter(page -> page >= from && page < from + 1000)
                    .toArray();
            long stride = stream % 2 == 0 ? stream + 1 : 1000 - (stream + 1);
            assertThat(own.length).isBetween(1800, 2200);
            assertThat(deltas(own, 1000)).containsOnly(stride);
        }
    }

    @Test
    void noiseComesBetweenTheSequentialPagesAndNotInTheirPlace() {
        long device = 1L << 40;
        long[] pages = pages("noisy:25", device, 10_000);
        Set<Long> all = Arrays.stream(pages).boxed().collect(Collectors.toSet());
        long inSequence = Arrays.stream(pages)
                .filter(page -> all.contains(page + 1) || all.contains(page - 1))
                .count();
        assertThat(inSequence).isBetween(7300L, 7700L);
    }

    @Test
    void aLoopVisitsEachPageOnceAPassInTheSameOrder() {
        long[] pages = pages("loop", 500, 2000);
        long[] pass = Arrays.copyOf(pages, 500);
        for (int i = 0; i < 2000; i++) {
            assertThat(pages[i]).isEqualTo(pass[i % 500]);
        }
        assertThat(Arrays.stream(pass).distinct().count()).isEqualTo(500);
        assertThat(Arrays.stream(deltas(pass, 500)).distinct().count()).isGreaterThan(200);
    }

    @Test
    void theSameSeedMakesTheSameTraceAndAnotherAnother() throws IOException {
        assertThat(text(1)).isEqualTo(text(1)).isNotEqualTo(text(2));
    }

    private static String text(long seed) throws IOException {
        StringBuilder out = new StringBuilder();
        TraceWriter.write(SyntheticTrace.parse("random").generate(1000, 1000, 15_000, seed), "seed", out);
        return out.toString();
    }

    @Test
    void requestsAreTheThinkTimeApartOnAverage() {
        Trace trace = SyntheticTrace.parse("random").generate(1000, 10_000, 15_000, 1);
        assertThat(trace.micros(9999) / 9999.0).isBetween(14.9, 15.1);
        for (int i = 1; i < trace.size(); i++) {
            assertThat(trace.micros(i) - trace.micros(i - 1)).isBetween(9L, 21L);
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"sequential", "reverse", "stride:-7", "interleaved:32", "noisy:10", "loop", "random"})
    void aKindIsWrittenAsItIsRead(String kind) {
        assertThat(SyntheticTrace.parse(kind)).hasToString(kind);
    }

    @ParameterizedTest
    @ValueSource(strings = {"stride", "stride:", "stride:0", "stride:x", "noisy:101", "noisy:-1", "interleaved:0"})
    void aKindWithAWrongNumberIsRefusedWithWhatWouldBeRight(String kind) {
        assertThatThrownBy(() -> SyntheticTrace.parse(kind))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("is not of the form")
                .hasMessageContaining(" from ");
    }

    @Test
    void anUnknownKindIsRefusedWithThoseThatThereAre() {
        assertThatThrownBy(() -> SyntheticTrace.parse("zigzag"))
                .hasMessage(
                        "there is no kind of trace \"zigzag\"; there are sequential, reverse, stride:K, interleaved:N,"
                                + " noisy:P, loop, random");
        assertThatThrownBy(() -> SyntheticTrace.parse("loop:3")).hasMessage("loop takes no number; write it like loop");
    }

    @Test
    void aDeviceThatIsTooSmallIsRefused() {
        assertThatThrownBy(() -> SyntheticTrace.parse("interleaved:8").generate(7, 1, 1, 1))
                .hasMessageContaining("8 streams need at least as many pages, not 7");
        assertThatThrownBy(() -> SyntheticTrace.parse("random").generate(0, 1, 1, 1))
                .isInstanceOf(IllegalArgumentException.class);
    }
}
