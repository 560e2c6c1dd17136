package io.leapnbd.bypass;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

class WriteOrderTest {

    private static final int PAGE = 4096;

    private final WriteOrder order = new WriteOrder();

    @Test
    void writesOfWholePagesGoTogether() {
        assertThat(order.begin(0, PAGE)).isTrue();
        assertThat(order.begin(0, 2 * PAGE)).isTrue();
    }

    @Test
    void aPartialWriteWaitsForAWholeOneAndTheOtherWayRound() {
        assertThat(order.begin(0, PAGE)).isTrue();
        assertThat(order.begin(100, 10)).isFalse();
        order.end(0, PAGE);
        assertThat(order.begin(100, 10)).isTrue();
        assertThat(order.begin(0, PAGE)).isFalse();
        assertThat(order.begin(200, 10)).isFalse();
        order.end(100, 10);
        assertThat(order.begin(0, PAGE)).isTrue();
    }

    @Test
    void aWriteThatMayNotBeginHoldsNothing() {
        long group = 64L * PAGE;
        assertThat(order.begin(group + 1, 1)).isTrue();
        assertThat(order.begin(0, (int) group + PAGE)).isFalse();
        assertThat(order.begin(1, (int) group)).isFalse();
        assertThat(order.begin(1, 1)).isTrue();
        order.end(1, 1);
        order.end(group + 1, 1);
        assertThat(order.begin(1, (int) group)).isTrue();
    }
}
