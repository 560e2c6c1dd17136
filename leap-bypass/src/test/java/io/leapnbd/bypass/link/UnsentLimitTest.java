package io.leapnbd.bypass.link;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.junit.jupiter.api.Test;

class UnsentLimitTest {

    private static final double GIB_A_SECOND = (1L << 30) / 1e9;

    private final UnsentLimit limit = new UnsentLimit();

    @Test
    void bulkAloneMayHaveHalfAMillisecondsWorthWaiting() {
        assertEquals(UnsentLimit.LEAST, limit.bytes());
        assertTrue(limit.bulk(GIB_A_SECOND, 0));
        assertEquals(512 << 10, limit.bytes());
        assertFalse(limit.bulk(0.9 * 2 * GIB_A_SECOND, 1));
        assertEquals(UnsentLimit.MOST, limit.bytes());
    }

    @Test
    void onASlowLinkAndBeforeTheFirstAnswerItIsTheLeast() {
        assertFalse(limit.bulk(0, 0));
        assertFalse(limit.bulk(0.117, 1));
        assertEquals(UnsentLimit.LEAST, limit.bytes());
    }

    @Test
    void itIsAPowerOfTwoThatIsNotMoreThanTheRateAllows() {
        assertTrue(limit.bulk(0.75 * GIB_A_SECOND, 0));
        assertEquals(256 << 10, limit.bytes());
    }

    @Test
    void aDemandMakesItTheLeastUntilThereWasNoneForAWhile() {
        long now = Long.MAX_VALUE - 5; // the clock may overflow
        assertTrue(limit.bulk(GIB_A_SECOND, now));
        assertTrue(limit.demand(now));
        assertEquals(UnsentLimit.LEAST, limit.bytes());
        assertFalse(limit.demand(now + 1));
        assertFalse(limit.bulk(GIB_A_SECOND, now + 1 + UnsentLimit.QUIET_NANOS - 1));
        assertEquals(UnsentLimit.LEAST, limit.bytes());
        assertTrue(limit.bulk(GIB_A_SECOND, now + 1 + UnsentLimit.QUIET_NANOS));
        assertEquals(512 << 10, limit.bytes());
    }
}
