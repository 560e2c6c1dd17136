package io.leapnbd.bypass.map;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.UUID;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

class AddressMapTest {

    private static final int SLAB_SHIFT = 20;
    private static final int PAGE = 4096;
    private static final UUID OLD = UUID.randomUUID();
    private static final UUID NEW = UUID.randomUUID();

    private StateFile state;
    private AddressMap map;

    @BeforeEach
    void open() throws IOException {
        state = new StateFile(null, 4L << SLAB_SHIFT, SLAB_SHIFT, false);
        map = new AddressMap(state, 4L << SLAB_SHIFT, SLAB_SHIFT);
    }

    @AfterEach
    void close() throws IOException {
        state.close();
    }

    @Test
    void onlyWrittenPagesOfALostSlabAreLost() {
        Slab slab = map.slab(1);
        long base = 1L << SLAB_SHIFT;
        map.map(slab, new Mapping(0, OLD, 1, 1));
        map.markWritten(base + PAGE, 2 * PAGE);

        assertThat(map.loseAll(0, OLD)).isEqualTo(2);

        assertThat(slab.mapping()).isNull();
        assertThat(slab.damaged()).isTrue();
        assertThat(map.anyLost(base, PAGE)).isFalse();
        assertThat(map.anyLost(base + PAGE, PAGE)).isTrue();
        assertThat(map.anyWritten(base, 1L << SLAB_SHIFT)).isFalse();
    }

    @Test
    void slabsOfOtherDonorsAndIncarnationsAreKept() {
        map.map(map.slab(0), new Mapping(0, OLD, 1, 1));
        map.map(map.slab(1), new Mapping(1, OLD, 1, 2));
        map.map(map.slab(2), new Mapping(0, NEW, 1, 3));
        map.markWritten(0, 3L << SLAB_SHIFT);

        map.loseAll(0, OLD);

        assertThat(map.slab(0).mapping()).isNull();
        assertThat(map.slab(1).mapping()).isNotNull();
        assertThat(map.slab(2).mapping()).isNotNull();
    }

    @Test
    void aPageWrittenWholeIsHealedAndOneWrittenInPartIsNot() {
        Slab slab = map.slab(0);
        map.map(slab, new Mapping(0, OLD, 1, 1));
        map.markWritten(0, 4 * PAGE);
        map.loseAll(0, OLD);
        Mapping now = new Mapping(0, NEW, 2, 2);
        map.map(slab, now);

        assertThat(map.partlyLost(100, PAGE)).isTrue();
        assertThat(map.partlyLost(0, PAGE)).isFalse();
        map.markHealed(slab, now, 0, 2 * PAGE + 100);

        assertThat(map.anyLost(0, 2 * PAGE)).isFalse();
        assertThat(map.anyLost(2 * PAGE, PAGE)).isTrue();
        assertThat(slab.damaged()).isTrue();
        map.markHealed(slab, now, 2 * PAGE, 2 * PAGE);
        assertThat(slab.damaged()).isFalse();
    }

    @Test
    void aWriteThatEndsAfterItsDonorWasLostHealsNothing() {
        Slab slab = map.slab(0);
        Mapping gone = new Mapping(0, OLD, 1, 1);
        map.map(slab, gone);
        map.markWritten(0, PAGE);
        map.loseAll(0, OLD);
        map.map(slab, new Mapping(0, NEW, 2, 2));

        map.markHealed(slab, gone, 0, PAGE);

        assertThat(map.anyLost(0, PAGE)).isTrue();
    }

    @Test
    void aTrimMakesWholePagesBlankAlsoLostOnes() {
        Slab slab = map.slab(0);
        map.map(slab, new Mapping(0, OLD, 1, 1));
        map.markWritten(0, 3 * PAGE);
        map.loseAll(0, OLD);

        map.markBlank(100, 2 * PAGE);

        assertThat(map.anyLost(0, PAGE)).isTrue();
        assertThat(map.anyLost(PAGE, PAGE)).isFalse();
        assertThat(map.blank(PAGE)).isTrue();
    }

    @Test
    void whoWaitsForASlabIsToldOnceWhetherItCameOrNot() {
        Slab slab = map.slab(0);
        List<Integer> told = new ArrayList<>();
        assertThat(slab.await(told::add)).isTrue();
        assertThat(slab.beginAllocation()).isTrue();
        assertThat(slab.beginAllocation()).isFalse();
        slab.failAllocation(28);
        assertThat(told).containsExactly(28);

        assertThat(slab.await(told::add)).isTrue();
        assertThat(slab.beginAllocation()).isTrue();
        map.map(slab, new Mapping(0, NEW, 1, 1));
        assertThat(told).containsExactly(28, 0);
        assertThat(slab.await(told::add)).isFalse();
        assertThat(slab.beginAllocation()).isFalse();
    }
}
