package io.leapnbd.prefetch;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.lang.foreign.MemorySegment;
import org.junit.jupiter.api.Test;

/** How pages leave: consumed, for others, and for a smaller budget. */
class PageCacheEvictionTest extends PageCacheFixture {

    @Test
    void aConsumedPageLeavesAtOnce() {
        fetched(7);

        assertThat(cache.consume(cache.lookup(7))).isTrue();

        assertThat(cache.lookup(7)).isEqualTo(PageCache.MISS);
        assertThat(cache.figures().slotsInUse()).isZero();
    }

    @Test
    void aReleasedPageStays() {
        fetched(7);

        cache.release(cache.lookup(7));

        assertThat(holds(7)).isTrue();
        assertThat(cache.figures().pagesUsed()).isZero();
    }

    @Test
    void twoReadersOfAPageShareItAndTheLastOneFreesIt() {
        fetched(7);
        int first = cache.lookup(7);
        int second = cache.lookup(7);
        assertThat(second).isEqualTo(first);

        assertThat(cache.consume(first)).isTrue();
        assertThat(cache.figures().slotsInUse()).isEqualTo(1);
        assertThat(cache.consume(second)).isFalse();
        assertThat(cache.figures().slotsInUse()).isZero();
    }

    @Test
    void aPageThatIsBeingReadIsStillAHitForOthersAfterItWasConsumedOnce() {
        fetched(7);
        int first = cache.lookup(7);
        int second = cache.lookup(7);
        cache.consume(first);

        assertThat(cache.lookup(7)).isEqualTo(second);
    }

    @Test
    void givingBackAPinTwiceIsAnError() {
        fetched(7);
        int slot = cache.lookup(7);
        cache.consume(slot);

        assertThatThrownBy(() -> cache.consume(slot)).isInstanceOf(IllegalStateException.class);
    }

    @Test
    void withoutEagerEvictionAConsumedPageStaysUntilItsTurn() {
        cache.eagerEviction(false);
        for (long page = 0; page < SLOTS; page++) {
            fetched(page);
        }
        cache.consume(cache.lookup(0));
        assertThat(holds(0)).isTrue();

        fetched(100);

        assertThat(holds(0)).isFalse();
        assertThat(cache.figures().evicted()).isEqualTo(1);
        assertThat(cache.figures().evictedUnused()).isZero();
    }

    @Test
    void unusedPagesLeaveInTheOrderInWhichTheyWereClaimed() {
        for (long page = 0; page < SLOTS; page++) {
            fetched(page);
        }
        for (long page = 0; page < SLOTS; page++) {
            assertThat(holds(page)).isTrue();
            fetched(100 + page);
            assertThat(holds(page)).isFalse();
            for (long later = page + 1; later < SLOTS; later++) {
                assertThat(holds(later)).isTrue();
            }
        }
        assertThat(cache.figures().evictedUnused()).isEqualTo(SLOTS);
    }

    @Test
    void aFreeSlotIsTakenBeforeAnythingIsEvicted() {
        for (long page = 0; page < SLOTS; page++) {
            fetched(page);
        }
        cache.consume(cache.lookup(2));

        fetched(100);

        assertThat(holds(0)).isTrue();
        assertThat(holds(1)).isTrue();
        assertThat(holds(3)).isTrue();
        assertThat(cache.figures().evicted()).isZero();
    }

    @Test
    void aSlotThatWasConsumedAndClaimedAgainIsTheNewest() {
        for (long page = 0; page < SLOTS; page++) {
            fetched(page);
        }
        cache.consume(cache.lookup(0));
        fetched(100);

        fetched(101);

        assertThat(holds(1)).isFalse();
        assertThat(holds(100)).isTrue();
    }

    @Test
    void aFetchInFlightIsNotEvicted() {
        int inFlight = cache.claim(0);
        for (long page = 1; page < 20; page++) {
            fetched(page);
        }

        assertThat(PageCache.inFlightSlot(cache.lookup(0))).isEqualTo(inFlight);
        assertThat(cache.publish(inFlight, 0)).isTrue();
    }

    @Test
    void aPageThatIsBeingReadIsNotEvicted() {
        fetched(0);
        int reading = cache.lookup(0);
        for (long page = 1; page < 20; page++) {
            fetched(page);
        }

        assertThat(cache.lookup(0)).isEqualTo(reading);
    }

    @Test
    void aClaimIsRefusedWhenEverySlotIsBusy() {
        for (long page = 0; page < SLOTS; page++) {
            cache.claim(page);
        }

        assertThat(cache.claim(100)).isEqualTo(PageCache.NO_ROOM);
        assertThat(cache.figures().noRoom()).isEqualTo(1);
    }

    @Test
    void aSmallerBudgetEvictsTheOldestAtOnce() {
        for (long page = 0; page < SLOTS; page++) {
            fetched(page);
        }

        cache.resize(1);

        assertThat(cache.figures().slotsInUse()).isEqualTo(1);
        assertThat(cache.figures().slots()).isEqualTo(1);
        assertThat(holds(SLOTS - 1)).isTrue();
        fetched(100);
        assertThat(holds(SLOTS - 1)).isFalse();
        assertThat(cache.figures().slotsInUse()).isEqualTo(1);
    }

    @Test
    void whatIsBusyWhenTheBudgetShrinksLeavesLater() {
        int inFlight = cache.claim(0);
        fetched(1);
        int reading = cache.lookup(1);

        cache.resize(1);

        assertThat(cache.figures().slotsInUse()).isEqualTo(2);
        assertThat(cache.claim(2)).isEqualTo(PageCache.NO_ROOM);
        cache.consume(reading);
        assertThat(cache.claim(2)).isEqualTo(PageCache.NO_ROOM);
        cache.publish(inFlight, 0);
        fetched(2);
        assertThat(holds(0)).isFalse();
        assertThat(cache.figures().slotsInUse()).isEqualTo(1);
    }

    @Test
    void aBudgetOfZeroTurnsTheCacheOffAndAGreaterOneOnAgain() {
        fetched(7);
        cache.resize(0);
        assertThat(holds(7)).isFalse();
        assertThat(cache.claim(7)).isEqualTo(PageCache.NO_ROOM);

        cache.resize(SLOTS);
        fetched(7);
        assertThat(holds(7)).isTrue();
    }

    @Test
    void aBudgetBeyondTheArenaIsRefusedWithBothNumbers() {
        assertThatThrownBy(() -> cache.resize(SLOTS + 1))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("5")
                .hasMessageContaining("4");
        assertThatThrownBy(() -> cache.resize(-1)).isInstanceOf(IllegalArgumentException.class);
    }

    @Test
    void anArenaThatIsNotWholePagesOfNativeMemoryIsRefused() {
        assertThatThrownBy(() -> new PageCache(memory.allocate(5000)))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("5000");
        assertThatThrownBy(() -> new PageCache(memory.allocate(0))).isInstanceOf(IllegalArgumentException.class);
        assertThatThrownBy(() -> new PageCache(MemorySegment.ofArray(new byte[PageCache.PAGE_SIZE])))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("off-heap");
    }
}
