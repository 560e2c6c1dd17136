package io.leapnbd.bypass.link;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayDeque;
import java.util.Deque;
import org.junit.jupiter.api.Test;

class BulkWindowTest {

    private static final int PIECE = 128 << 10;
    private static final int MOST = 1 << 20;

    private final BulkWindow window = new BulkWindow(MOST);
    private final Deque<long[]> onTheWay = new ArrayDeque<>();
    private long now;

    /** When the link will have sent what it was given. */
    private long busyUntil;

    /** A client that always has more to write, over a link that takes some time for a piece, and some more to answer. */
    private void writeOver(long nanosAPiece, long delay, int pieces) {
        for (int i = 0; i < pieces; i++) {
            while (window.admits(PIECE)) {
                window.sent(PIECE);
                busyUntil = Math.max(now, busyUntil) + nanosAPiece;
                onTheWay.add(new long[] {now, busyUntil + delay});
            }
            answer();
        }
    }

    private void answer() {
        long[] first = onTheWay.remove();
        now = first[1];
        window.answered(PIECE, now - first[0], now);
    }

    @Test
    void oneWriteMayAlwaysBeSent() {
        assertThat(window.admits(8 << 20)).isTrue();
        window.sent(8 << 20);
        assertThat(window.admits(4096)).isFalse();
    }

    @Test
    void aLinkWithoutDelayIsBusyWithOneLargeWrite() {
        writeOver(100_000, 10_000, 1000);

        assertThat(window.bytes()).isLessThanOrEqualTo(2 * PIECE);
    }

    @Test
    void aLinkWithADelayIsKeptFull() {
        writeOver(100_000, 300_000, 1000);

        assertThat(window.bytes()).isBetween(4 * PIECE, 6 * PIECE);
    }

    @Test
    void theWindowNeverGrowsBeyondItsBound() {
        writeOver(1_000, 10_000_000, 1000);

        assertThat(window.bytes()).isEqualTo(MOST);
    }

    @Test
    void aLinkThatBecomesSlowHasFewerWritesOnTheWay() {
        writeOver(10_000, 500_000, 1000);
        assertThat(window.bytes()).isEqualTo(MOST);

        writeOver(400_000, 500_000, 1000);
        assertThat(window.bytes()).isEqualTo(BulkWindow.LEAST);
    }

    @Test
    void howFastALinkOnceWasIsForgotten() {
        writeOver(1_000, 10_000, 100);
        writeOver(1_000, 400_000, 100);
        assertThat(window.bytes()).as("ever slower than it was").isEqualTo(BulkWindow.LEAST);

        writeOver(1_000, 400_000, 30_000);
        assertThat(window.bytes()).as("a slow link and no queue").isGreaterThanOrEqualTo(4 * PIECE);
    }

    @Test
    void whatNobodyWaitsForDoesNotWidenIt() {
        for (int i = 0; i < 1000; i++) {
            assertThat(window.admits(PIECE)).isTrue();
            window.sent(PIECE);
            window.answered(PIECE, 1_000_000, 0);
        }
        assertThat(window.bytes()).isEqualTo(BulkWindow.LEAST);
    }

    @Test
    void shortWritesSayNothing() {
        for (int i = 0; i < 100; i++) {
            window.sent(4096);
            window.answered(4096, 1_000, 0);
        }
        writeOver(100_000, 300_000, 1000);

        assertThat(window.bytes()).isGreaterThanOrEqualTo(4 * PIECE);
    }
}
