package io.leapnbd.donor.store;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.time.Duration;
import org.junit.jupiter.api.Test;

class StoreSettingsTest {

    private static final long GIB = 1L << 30;

    @Test
    void memoryIsRoundedDownToWholeSlabs() {
        assertThat(StoreSettings.ofMemory(GIB - 1).totalSlabs()).isEqualTo(15);
        assertThat(StoreSettings.ofMemory(GIB).totalSlabs()).isEqualTo(16);
        assertThat(StoreSettings.ofMemory(1 << 20, 1 << 20).totalSlabs()).isEqualTo(1);
        assertThat(StoreSettings.ofMemory(1024 * GIB, 1 << 20).totalSlabs()).isEqualTo(1 << 20);
    }

    @Test
    void whatIsNotPossibleIsRefusedWithWhatWouldBe() {
        assertRefused(() -> StoreSettings.ofMemory((64 << 20) - 1), "lend more memory or choose smaller slabs");
        assertRefused(() -> StoreSettings.ofMemory(-1), "lend more memory");
        assertRefused(() -> StoreSettings.ofMemory(GIB, 3 << 20), "power of two from 1 MiB to 1 GiB");
        assertRefused(() -> StoreSettings.ofMemory(GIB, 1 << 19), "power of two from 1 MiB to 1 GiB");
        assertRefused(() -> StoreSettings.ofMemory(GIB, Integer.MIN_VALUE), "power of two from 1 MiB to 1 GiB");
        assertRefused(() -> StoreSettings.ofMemory(1025 * GIB, 1 << 20), "choose larger slabs");
        assertRefused(() -> StoreSettings.ofMemory(GIB).withLease(Duration.ofMillis(999)), "lease");
        assertRefused(() -> StoreSettings.ofMemory(GIB).withReadySlabs(-1), "ready slabs");
        assertRefused(() -> StoreSettings.ofMemory(GIB).withMaxInFlight(0), "requests in flight");
        assertRefused(() -> StoreSettings.ofMemory(GIB).withMaxExports(0), "exports");
    }

    private static void assertRefused(Runnable setting, String why) {
        assertThatThrownBy(setting::run)
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining(why);
    }
}
