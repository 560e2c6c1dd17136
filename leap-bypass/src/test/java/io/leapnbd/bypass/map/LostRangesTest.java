package io.leapnbd.bypass.map;

import static org.assertj.core.api.Assertions.assertThat;

import io.leapnbd.bypass.map.LostRanges.Range;
import java.io.IOException;
import java.nio.file.Path;
import java.util.UUID;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class LostRangesTest {

    private static final int PAGE = 4096;
    private static final int SLAB = 1 << 20;
    private static final UUID DONOR = new UUID(1, 1);

    @TempDir
    private Path folder;

    private static void lose(AddressMap map, int slab) {
        Placement at = Placement.of(0, DONOR, 1 + slab, 1 + slab);
        map.map(slab, at);
        assertThat(map.remove(slab, at.primary(), () -> 9)).isNotNull();
    }

    @Test
    void neighbours_are_one_range_also_across_slabs_and_all_are_counted() throws IOException {
        try (LockedStateFile locked = LockedStateFile.open(folder.resolve("f"), true);
                StateFile file = locked.create(4L * SLAB - 2 * PAGE, 20)) {
            AddressMap map = new AddressMap(file, 4L * SLAB - 2 * PAGE, 20);
            assertThat(LostRanges.of(map, 9)).isEqualTo(new LostRanges(java.util.List.of(), 0, 0));
            map.markWritten(0, PAGE);
            map.markWritten(3 * PAGE, 2 * PAGE);
            map.markWritten(SLAB - PAGE, 3 * PAGE);
            map.markWritten(4L * SLAB - 4 * PAGE, 2 * PAGE);
            lose(map, 0);
            lose(map, 1);
            // Written, and not lost.
            map.markWritten(2 * SLAB, PAGE);
            lose(map, 3);

            Range[] all = {
                new Range(0, PAGE),
                new Range(3 * PAGE, 2 * PAGE),
                new Range(SLAB - PAGE, 3 * PAGE),
                new Range(4L * SLAB - 4 * PAGE, 2 * PAGE)
            };
            assertThat(LostRanges.of(map, 9).first()).containsExactly(all);
            assertThat(LostRanges.of(map, 2).first()).containsExactly(all[0], all[1]);
            assertThat(LostRanges.of(map, 2).count()).isEqualTo(4);
            assertThat(LostRanges.of(map, 0).bytes()).isEqualTo(8 * PAGE);
        }
    }
}
