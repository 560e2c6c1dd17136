package io.leapnbd.bypass.takeover;

import static org.assertj.core.api.Assertions.assertThat;

import io.leapnbd.donor.protocol.SlabCopies;
import io.leapnbd.donor.protocol.SlabName;
import java.util.List;
import java.util.UUID;
import org.junit.jupiter.api.Test;

class HeldSlabsTest {

    private static final UUID OWN = new UUID(1, 1);
    private static final SlabName OTHER = new SlabName(new UUID(5, 6), 7, 8);
    private static final SlabName THIRD = new SlabName(new UUID(5, 7), Integer.MAX_VALUE, Long.MAX_VALUE);

    @Test
    void a_live_slab_names_itself_and_a_filling_one_those_that_are_live() {
        HeldSlabs held = new HeldSlabs(0, OWN, 1);
        for (int index = 0; index < 20; index++) {
            held.add(index, 100 + index, 1, 1, true, SlabCopies.ALONE);
        }
        held.add(20, 120, 4, 5, true, SlabCopies.live(List.of(OTHER, THIRD, new SlabName(OWN, 120, 4))));
        held.add(21, 121, 6, 6, true, SlabCopies.FILLING);
        for (int index = 22; index < 60; index++) {
            held.add(index, 100 + index, 6, 7, true, SlabCopies.filling(List.of(OTHER)));
        }
        for (int index = 0; index < 20; index++) {
            assertThat(held.names(index)).containsExactly(new SlabName(OWN, 100 + index, 1));
            assertThat(held.filling(index)).isFalse();
        }
        assertThat(held.generation(20)).isEqualTo(5);
        assertThat(held.grantVersion(20)).isEqualTo(4);
        assertThat(held.name(20)).isEqualTo(new SlabName(OWN, 120, 4));
        assertThat(held.grantVersion(19)).isEqualTo(1);
        assertThat(held.grantVersion(21)).isEqualTo(6);
        held.add(60, 160, 9, 9, true, SlabCopies.ALONE);
        assertThat(held.names(60)).containsExactly(new SlabName(OWN, 160, 9));
        assertThat(held.names(20)).containsExactlyInAnyOrder(new SlabName(OWN, 120, 4), OTHER, THIRD);
        assertThat(held.filling(20)).isFalse();
        assertThat(held.names(21)).isEmpty();
        assertThat(held.filling(21)).isTrue();
        assertThat(held.names(59)).containsExactly(OTHER);
        assertThat(held.filling(59)).isTrue();
    }
}
