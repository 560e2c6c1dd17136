package io.leapnbd.donor.store;

import static org.assertj.core.api.Assertions.assertThat;

import io.leapnbd.donor.memory.RawMemory;
import java.io.IOException;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** The pool without its worker: the test does the work, step by step. */
class SlabPoolTest {

    private static final int SLAB = Settings.SLAB;

    /** A slab's bytes and its pages' words. */
    private static final int SLOT_BYTES = SLAB + 4096;

    private SlabMemory memory;
    private SlabPool pool;

    @BeforeEach
    void open() throws IOException {
        memory = new SlabMemory(Settings.slabs(3));
        pool = new SlabPool(memory, 1);
    }

    @AfterEach
    void close() {
        memory.close();
    }

    private void finishWork() {
        while (pool.work()) {
            Thread.onSpinWait();
        }
    }

    private void soil(int slot) {
        RawMemory.setRelease(pool.data(slot), 1);
        RawMemory.setRelease(pool.data(slot) + SLAB - 8, 2);
        RawMemory.setRelease(pool.words(slot), 3);
        RawMemory.setRelease(pool.words(slot) + SLAB / 4096 * 8 - 8, 4);
    }

    private void assertBlank(int slot) {
        assertThat(RawMemory.getVolatile(pool.words(slot))).isZero();
        assertThat(RawMemory.getVolatile(pool.words(slot) + SLAB / 4096 * 8 - 8))
                .isZero();
    }

    private void assertZero(int slot) {
        assertThat(RawMemory.getVolatile(pool.data(slot))).isZero();
        assertThat(RawMemory.getVolatile(pool.data(slot) + SLAB - 8)).isZero();
    }

    @Test
    void asManySlabsAsAskedForAreKeptResident() {
        assertThat(memory.residentBytes()).isZero();
        finishWork();
        assertThat(memory.residentBytes()).isEqualTo(SLOT_BYTES);
        assertThat(memory.lockedBytes()).isEqualTo(memory.lockRefusal() == null ? SLOT_BYTES : 0);
        assertThat(pool.free()).isEqualTo(3);
    }

    @Test
    void aSlabThatWasLentBeforeItWasReadyBecomesResident() {
        int slot = pool.take();
        assertThat(memory.isResident(slot)).isFalse();
        pool.work();
        assertThat(memory.isResident(slot)).isTrue();
    }

    @Test
    void noMoreIsLentThanMayBeAndWhatIsBeyondIsWantedBack() {
        int first = pool.take();
        int second = pool.take();
        pool.lendAtMost(1);
        assertThat(pool.take()).isNegative();
        assertThat(pool.free()).isZero();
        assertThat(pool.excess()).isEqualTo(1);
        pool.recycle(first);
        assertThat(pool.excess()).isZero();
        assertThat(pool.lent()).isEqualTo(1);
        assertThat(pool.take()).isNegative();
        pool.lendAtMost(100);
        assertThat(pool.free()).isEqualTo(2);
        assertThat(pool.take()).isNotNegative();
        assertThat(second).isNotNegative();
    }

    /** The kernel has all of it again, also what is kept ready otherwise. */
    @Test
    void aPoolThatMayLendNothingKeepsNoMemory() {
        int slot = pool.take();
        finishWork();
        soil(slot);
        assertThat(memory.residentBytes()).isEqualTo(2 * SLOT_BYTES);
        pool.lendAtMost(0);
        pool.recycle(slot);
        finishWork();
        assertThat(memory.residentBytes()).isZero();
        pool.lendAtMost(3);
        finishWork();
        assertThat(memory.residentBytes()).isEqualTo(SLOT_BYTES);
        int again = pool.take();
        assertBlank(again);
        assertZero(again);
    }

    @Test
    void aPoolThatKeepsNothingReadyMakesNoSlabResident() {
        SlabPool lazy = new SlabPool(memory, 0);
        int slot = lazy.take();
        while (lazy.work()) {
            Thread.onSpinWait();
        }
        assertThat(memory.isResident(slot)).isFalse();
        assertThat(memory.residentBytes()).isZero();
    }

    @Test
    void aSlabThatIsHandedBackIsWipedAndGivenBackToTheKernelIfEnoughAreReady() {
        finishWork();
        int slot = pool.take();
        finishWork();
        soil(slot);
        pool.recycle(slot);
        finishWork();

        assertThat(memory.residentBytes()).isEqualTo(SLOT_BYTES);
        assertThat(memory.isResident(slot)).isFalse();
        assertBlank(slot);
        assertZero(slot);
    }

    @Test
    void aSlabThatIsHandedBackIsWipedInPlaceIfNoneIsReady() {
        int[] all = {pool.take(), pool.take(), pool.take()};
        finishWork();
        soil(all[1]);
        pool.recycle(all[1]);
        finishWork();

        assertThat(memory.isResident(all[1])).isTrue();
        assertThat(memory.residentBytes()).isEqualTo(3 * SLOT_BYTES);
        assertThat(pool.take()).isEqualTo(all[1]);
        assertBlank(all[1]);
        assertZero(all[1]);
    }

    @Test
    void aSlabCanBeTakenAtAnyPointOfBeingWipedAndIsBlank() {
        for (int steps = 0; steps < 12; steps++) {
            int[] all = {pool.take(), pool.take(), pool.take()};
            finishWork();
            assertThat(pool.take()).isNegative();
            soil(all[0]);
            pool.recycle(all[0]);
            for (int i = 0; i < steps; i++) {
                pool.work();
            }
            assertThat(pool.free()).isEqualTo(1);
            assertThat(pool.take()).isEqualTo(all[0]);
            assertBlank(all[0]);
            // What goes on in the background does not touch what the new owner writes.
            RawMemory.setRelease(pool.data(all[0]) + 8, 42);
            RawMemory.setRelease(pool.words(all[0]) + 8, 43);
            finishWork();
            assertThat(RawMemory.getVolatile(pool.data(all[0]) + 8)).isEqualTo(42);
            assertThat(RawMemory.getVolatile(pool.words(all[0]) + 8)).isEqualTo(43);
            assertThat(memory.isResident(all[0])).isTrue();
            for (int slot : all) {
                pool.recycle(slot);
            }
            finishWork();
            assertThat(pool.free()).isEqualTo(3);
            assertThat(memory.residentBytes()).isEqualTo(SLOT_BYTES);
        }
    }

    @Test
    void aSlabHandedBackTakenAndHandedBackAgainIsWipedFromTheStart() {
        int[] all = {pool.take(), pool.take(), pool.take()};
        finishWork();
        pool.recycle(all[0]);
        pool.work();
        pool.work();
        assertThat(pool.take()).isEqualTo(all[0]);
        soil(all[0]);
        pool.recycle(all[0]);
        finishWork();

        assertBlank(all[0]);
        assertZero(all[0]);
    }

    @Test
    void everySlotIsLentOnceBeforeOneIsLentAgain() {
        int first = pool.take();
        pool.recycle(first);
        assertThat(pool.take()).isNotEqualTo(first);
        assertThat(pool.take()).isNotEqualTo(first);
        assertThat(pool.take()).isEqualTo(first);
        assertThat(pool.take()).isNegative();
    }
}
