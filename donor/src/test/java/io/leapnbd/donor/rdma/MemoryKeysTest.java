package io.leapnbd.donor.rdma;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import org.junit.jupiter.api.Test;

class MemoryKeysTest {

    private final MemoryKeys keys = new MemoryKeys(List.of(
            new MemoryKeys.Region(0x9000, 0x1000, 3),
            new MemoryKeys.Region(0x1000, 0x2000, 1),
            new MemoryKeys.Region(0x3000, 0x1000, 2)));

    @Test
    void memoryIsNamedByTheKeyOfTheRegionThatHoldsIt() {
        assertThat(keys.keyOf(0x1000, 0x2000)).isEqualTo(1);
        assertThat(keys.keyOf(0x2fff, 1)).isEqualTo(1);
        assertThat(keys.keyOf(0x3000, 0x1000)).isEqualTo(2);
        assertThat(keys.keyOf(0x9800, 0x800)).isEqualTo(3);
    }

    @Test
    void whatIsNotWholeInOneRegionHasNoKey() {
        assertThat(keys.keyOf(0x2fff, 2)).isEqualTo(MemoryKeys.NONE);
        assertThat(keys.keyOf(0xfff, 2)).isEqualTo(MemoryKeys.NONE);
        assertThat(keys.keyOf(0x9fff, 2)).isEqualTo(MemoryKeys.NONE);
        assertThat(keys.keyOf(0x4000, 1)).isEqualTo(MemoryKeys.NONE);
        assertThat(keys.keyOf(0xa000, 1)).isEqualTo(MemoryKeys.NONE);
        assertThat(new MemoryKeys(List.of()).keyOf(0x1000, 1)).isEqualTo(MemoryKeys.NONE);
    }
}
