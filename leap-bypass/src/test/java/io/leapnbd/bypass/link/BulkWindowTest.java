package io.leapnbd.bypass.link;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayDeque;
import org.junit.jupiter.api.Test;

/** The window of writes against a link that is a queue with a rate and a delay, in simulated time. */
class BulkWindowTest {

    private static final int LEAST = 512 << 10;
    private static final int MOST = 4 << 20;
    private static final int PIECE = 128 << 10;

    private final BulkWindow window = new BulkWindow(LEAST, MOST);
    private final ArrayDeque<long[]> underWay = new ArrayDeque<>();
    private long now = Long.MAX_VALUE - 3_000_000_000L; // runs over, as System.nanoTime may

    /** When the link has taken all that was sent so far. */
    private long linkFree = now;

    private void flood(long nanos, long roundTrip, double bytesANano) {
        long end = now + nanos;
        while (now - end < 0) {
            while (window.admits(PIECE)) {
                long begins = linkFree - now > 0 ? linkFree : now;
                linkFree = begins + (long) (PIECE / bytesANano);
                underWay.add(new long[] {window.sent(PIECE), now, linkFree + roundTrip});
            }
            long[] first = underWay.removeFirst();
            now = first[2];
            window.answered(PIECE, first[0], first[1], now);
        }
    }

    @Test
    void aLongLinkGetsItsBandwidthTimesItsDelay() {
        flood(2_000_000_000L, 2_000_000, 0.5);
        // 0.5 bytes a nanosecond and 2 ms are a megabyte.
        assertThat(window.bytes()).isBetween(1_000_000, 2 * 1_300_000);
    }

    @Test
    void aShortLinkKeepsTheNarrowWindowThatReadsWant() {
        flood(2_000_000_000L, 40_000, 1);
        assertThat(window.bytes()).isEqualTo(LEAST);
    }

    @Test
    void aQueueOfItsOwnIsNotTakenForALongerLink() {
        flood(60_000_000_000L, 2_000_000, 0.5);
        assertThat(window.bytes()).isBetween(LEAST, 2 * 1_300_000);
    }

    @Test
    void theWindowNeverPassesItsLimit() {
        flood(3_000_000_000L, 50_000_000, 1);
        assertThat(window.bytes()).isEqualTo(MOST);
    }

    @Test
    void twoRequestsOfAGibibyteDoNotOverflowIt() {
        // B7
        window.sent(1 << 30);
        window.sent(1 << 30);
        assertThat(window.admits(PIECE)).isFalse();
    }
}
