package io.leapnbd.bypass.link;

import static org.assertj.core.api.Assertions.assertThat;

import io.leapnbd.donor.protocol.SlabKey;
import org.junit.jupiter.api.Test;

class SlabKeysTest {

    private final SlabKeys keys = new SlabKeys();

    @Test
    void whatWasNeverAskedForIsUnknown() {
        assertThat(keys.find(17)).isEqualTo(SlabKeys.UNKNOWN);
    }

    @Test
    void aSlabThatIsBeingAskedForHasNoAddressYet() {
        keys.asked(17);
        assertThat(keys.address(keys.find(17))).isZero();
    }

    @Test
    void everyOfThousandsOfSlabsKeepsItsOwnKey() {
        for (int handle = 1; handle <= 5000; handle++) {
            keys.asked(handle << 7);
            keys.put(handle << 7, new SlabKey(handle * 4096L, 1 << 20, handle));
        }
        for (int handle = 1; handle <= 5000; handle++) {
            int place = keys.find(handle << 7);
            assertThat(keys.address(place)).isEqualTo(handle * 4096L);
            assertThat(keys.key(place)).isEqualTo(handle);
        }
    }

    @Test
    void afterAClearNothingIsKnown() {
        keys.put(5, new SlabKey(4096, 1 << 20, 1));
        keys.clear();
        assertThat(keys.find(5)).isEqualTo(SlabKeys.UNKNOWN);
    }
}
