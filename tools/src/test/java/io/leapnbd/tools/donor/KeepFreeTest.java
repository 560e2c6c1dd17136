package io.leapnbd.tools.donor;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

/** How much is lent of a machine whose programs come and go. */
class KeepFreeTest {

    private static final long SLAB = 100;
    private static final long KEEP = 2_000;

    private final KeepFree rule = new KeepFree(KEEP, SLAB);
    private int lent;

    /** Of a machine where all lent slabs are resident, and nothing else. */
    private int limit(long available) {
        return rule.limit(available, lent * SLAB, lent);
    }

    @Test
    void asMuchIsLentAsLeavesWhatIsToBeKeptAndASlab() {
        assertThat(limit(KEEP + 10 * SLAB)).isEqualTo(9);
        lent = 9;
        assertThat(limit(KEEP + SLAB)).isEqualTo(9);
        assertThat(limit(KEEP + SLAB - 1)).isEqualTo(9);
        assertThat(rule.tight()).isFalse();
    }

    @Test
    void asManyAreWantedBackAsAreMissing() {
        lent = 9;
        assertThat(limit(KEEP - 1)).isEqualTo(8);
        assertThat(limit(KEEP - 3 * SLAB)).isEqualTo(6);
        assertThat(limit(0)).isZero();
        assertThat(rule.tight()).isTrue();
    }

    /** Otherwise each slab that came back would go out again. */
    @Test
    void onceMemoryWasShortNothingIsLentUntilThereIsClearlyMore() {
        lent = 9;
        assertThat(limit(KEEP - 1)).isEqualTo(8);
        lent = 8;
        assertThat(limit(KEEP + SLAB - 1)).isEqualTo(8);
        assertThat(limit(KEEP + KEEP / 8 - 1)).isEqualTo(8);
        assertThat(limit(KEEP + KEEP / 8)).isEqualTo(9);
        assertThat(rule.tight()).isFalse();
    }

    /** What came back is free before the kernel has it; what was lent is taken before it is there. */
    @Test
    void slabsThatAreOnTheirWayCountAsIfTheyWereThere() {
        assertThat(rule.limit(KEEP - 2 * SLAB, 5 * SLAB, 3)).isEqualTo(3);
        assertThat(rule.limit(KEEP + 2 * SLAB, SLAB, 4)).isEqualTo(3);
    }
}
