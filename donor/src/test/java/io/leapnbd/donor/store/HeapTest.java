package io.leapnbd.donor.store;

import static java.util.Objects.requireNonNull;
import static org.assertj.core.api.Assertions.assertThat;

import io.leapnbd.donor.Hellos;
import io.leapnbd.donor.protocol.SlabCopies;
import io.leapnbd.donor.protocol.SlabName;
import io.leapnbd.donor.protocol.Status;
import io.leapnbd.donor.protocol.Version;
import java.io.IOException;
import java.util.List;
import java.util.UUID;
import org.junit.jupiter.api.Test;

/** C: a donor's heap follows its slabs. */
class HeapTest {

    private static final int SLABS = 1 << 18;

    /** Without the worker, which would make the slabs resident. */
    @Test
    void theHeapThatIsSaidIsEnoughForAllSlabsLentPlacedAndHandedBack() throws IOException {
        StoreSettings settings = StoreSettings.ofMemory((long) SLABS * Settings.SLAB, Settings.SLAB)
                .withLock(false)
                .withReadySlabs(0);
        try (SlabMemory memory = new SlabMemory(settings)) {
            UUID own = UUID.randomUUID();
            long before = used();
            SlabPool pool = new SlabPool(memory, 0);
            SlabTable table = new SlabTable(SLABS);
            ExportTable exports = new ExportTable(
                    settings,
                    own,
                    new LentSlabs(own, settings.slabSize(), table, pool, SlabLedger.NONE),
                    new StoreCounters(),
                    SlabLedger.NONE);
            Claim claim =
                    requireNonNull(exports.hello(Hellos.claim("a", 1), Identity.ANONYMOUS, SlabStore.LOCAL, () -> {})
                            .claim());
            int[] handles = new int[SLABS];
            for (int index = 0; index < SLABS; index++) {
                Granted granted = exports.grant(claim, index, Version.ofGrant(1, index), SlabCopies.ALONE, new long[0]);
                assertThat(granted.status()).isEqualTo(Status.OK);
                handles[index] = granted.handle();
            }
            long lent = used() - before - 4L * SLABS;
            assertThat(lent / SLABS).isLessThan(StoreSettings.heapBytes(SLABS) / SLABS);
            assertThat(lent / SLABS).isBetween(100L, 192L);
            for (int index = 0; index < SLABS; index++) {
                List<SlabName> names = List.of(
                        new SlabName(own, handles[index], Version.ofGrant(1, index)),
                        new SlabName(new UUID(index, 1), 1, 1),
                        new SlabName(new UUID(index, 2), 1, 1),
                        new SlabName(new UUID(index, 3), 1, 1));
                assertThat(exports.place(claim, handles[index], Version.ofGrant(2, index), SlabCopies.live(names)))
                        .isEqualTo(Status.OK);
            }
            long placed = used() - before - 4L * SLABS;
            assertThat(placed / SLABS).isLessThan(StoreSettings.heapBytes(SLABS) / SLABS);
            for (int index = 0; index < SLABS; index++) {
                assertThat(exports.free(claim, handles[index], Version.ofGrant(2, index)))
                        .isEqualTo(Status.OK);
            }
            assertThat(used() - before - 4L * SLABS).isLessThan(48L * SLABS);
            assertThat(pool.free()).isEqualTo(SLABS);
        }
    }

    private static long used() {
        Runtime runtime = Runtime.getRuntime();
        long least = Long.MAX_VALUE;
        for (int i = 0; i < 3; i++) {
            System.gc();
            least = Math.min(least, runtime.totalMemory() - runtime.freeMemory());
        }
        return least;
    }
}
