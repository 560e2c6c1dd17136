package io.leapnbd.prefetch;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.HashSet;
import java.util.Set;
import org.junit.jupiter.api.Test;

/** How pages come in, and how they are waited for. */
class PageCacheTest extends PageCacheFixture {

    @Test
    void aPageThatWasNeverFetchedIsAMiss() {
        assertThat(cache.lookup(7)).isEqualTo(PageCache.MISS);
        assertThat(cache.lookup(0)).isEqualTo(PageCache.MISS);
    }

    @Test
    void aPublishedPageIsAHitInItsSlot() {
        int slot = fetched(7);

        assertThat(cache.lookup(7)).isEqualTo(slot);
    }

    @Test
    void pageZeroAndTheLastPageCanBeCached() {
        fetched(0);
        fetched((1L << 40) - 1);

        assertThat(holds(0)).isTrue();
        assertThat(holds((1L << 40) - 1)).isTrue();
    }

    @Test
    void aPageBeyondTheLastOneIsRefused() {
        assertThatThrownBy(() -> cache.claim(1L << 40)).isInstanceOf(IllegalArgumentException.class);
        assertThatThrownBy(() -> cache.claim(-1)).isInstanceOf(IllegalArgumentException.class);
    }

    @Test
    void aClaimedPageIsInFlightUntilItIsPublished() {
        int slot = cache.claim(7);

        int lookup = cache.lookup(7);
        assertThat(PageCache.isInFlight(lookup)).isTrue();
        assertThat(PageCache.inFlightSlot(lookup)).isEqualTo(slot);
    }

    @Test
    void aPageIsNotClaimedTwice() {
        int slot = cache.claim(7);
        assertThat(cache.claim(7)).isEqualTo(PageCache.IN_FLIGHT);

        cache.publish(slot, 0);
        assertThat(cache.claim(7)).isEqualTo(PageCache.PRESENT);
    }

    @Test
    void slotsLieInTheArenaWithoutOverlap() {
        Set<Long> addresses = new HashSet<>();
        for (long page = 0; page < SLOTS; page++) {
            int slot = fetched(page);
            addresses.add(cache.address(slot));
            assertThat(cache.address(slot) - cache.arena().address())
                    .isEqualTo(cache.offset(slot))
                    .isBetween(0L, cache.arena().byteSize() - PageCache.PAGE_SIZE);
            assertThat(cache.offset(slot) % PageCache.PAGE_SIZE).isZero();
        }
        assertThat(addresses).hasSize(SLOTS);
    }

    @Test
    void anAbortedFetchLeavesNothingAndFreesItsSlot() {
        cache.abort(cache.claim(7));

        assertThat(cache.lookup(7)).isEqualTo(PageCache.MISS);
        assertThat(cache.figures().slotsInUse()).isZero();
        assertThat(cache.figures().aborted()).isEqualTo(1);
        assertThat(cache.claim(7)).isNotNegative();
    }

    @Test
    void endingAClaimTwiceIsAnError() {
        int slot = fetched(7);

        assertThatThrownBy(() -> cache.publish(slot, 0)).isInstanceOf(IllegalStateException.class);
        assertThatThrownBy(() -> cache.abort(slot)).isInstanceOf(IllegalStateException.class);
    }

    @Test
    void theTimeOfPublishingIsKeptForWhoeverReadsThePage() {
        int slot = cache.claim(7);
        cache.publish(slot, 4711);

        assertThat(cache.publishedAt(cache.lookup(7))).isEqualTo(4711);
    }

    @Test
    void whoWaitsForAFetchIsToldItsSlotAndHoldsAPin() {
        int slot = cache.claim(7);
        RecordingWaiter waiter = new RecordingWaiter();
        awaitIn(cache, 7, waiter);
        assertThat(waiter.times).isZero();

        cache.publish(slot, 0);

        assertThat(waiter.slot).isEqualTo(slot);
        assertThat(waiter.times).isEqualTo(1);
        assertThat(cache.consume(slot)).isTrue();
        assertThat(cache.figures().slotsInUse()).isZero();
    }

    @Test
    void allWhoWaitForAFetchAreToldAndTheLastToConsumeFreesTheSlot() {
        int slot = cache.claim(7);
        RecordingWaiter[] waiters = {new RecordingWaiter(), new RecordingWaiter(), new RecordingWaiter()};
        for (RecordingWaiter waiter : waiters) {
            awaitIn(cache, 7, waiter);
        }

        cache.publish(slot, 0);

        for (RecordingWaiter waiter : waiters) {
            assertThat(waiter.slot).isEqualTo(slot);
            assertThat(cache.figures().slotsInUse()).isEqualTo(1);
            cache.consume(slot);
        }
        assertThat(cache.figures().slotsInUse()).isZero();
        assertThat(cache.figures().inFlightHits()).isEqualTo(3);
        assertThat(cache.figures().pagesUsed()).isEqualTo(1);
    }

    @Test
    void whoWaitsForAFetchThatFailsIsSentToTheDonor() {
        int slot = cache.claim(7);
        RecordingWaiter waiter = new RecordingWaiter();
        awaitIn(cache, 7, waiter);

        cache.abort(slot);

        assertThat(waiter.slot).isEqualTo(PageCache.MISS);
        assertThat(waiter.times).isEqualTo(1);
    }

    @Test
    void whoComesTooLateToWaitIsToldSo() {
        int slot = cache.claim(7);
        cache.publish(slot, 0);

        assertThat(cache.await(slot, 7, new RecordingWaiter())).isFalse();
    }

    @Test
    void nobodyWaitsForAFetchOfAnotherPage() {
        int slot = cache.claim(7);

        assertThat(cache.await(slot, 8, new RecordingWaiter())).isFalse();
    }

    @Test
    void aWaiterThatStrayedToAnotherPagesFetchIsSentToTheDonor() {
        RecordingWaiter stray = new RecordingWaiter();
        stray.page = 8;
        int slot = cache.claim(7);
        // What await does after its look at the slot, when the slot has been reused since.
        assertThat(cache.waiters().push(slot, stray)).isTrue();
        RecordingWaiter rightful = new RecordingWaiter();
        awaitIn(cache, 7, rightful);

        cache.publish(slot, 0);

        assertThat(stray.slot).isEqualTo(PageCache.MISS);
        assertThat(rightful.slot).isEqualTo(slot);
        cache.consume(slot);
        assertThat(cache.figures().slotsInUse()).isZero();
    }

    @Test
    void aWaiterMayWaitAgainAsSoonAsItIsTold() {
        int first = cache.claim(7);
        int second = cache.claim(8);
        RecordingWaiter behind = new RecordingWaiter();
        RecordingWaiter last = new RecordingWaiter();
        Waiter eager = new Waiter() {
            @Override
            protected void fetchEnded(int slot) {
                if (slot == first) {
                    cache.consume(slot);
                    awaitIn(cache, 8, this);
                } else {
                    cache.consume(slot);
                }
            }
        };
        awaitIn(cache, 7, behind);
        awaitIn(cache, 7, eager);
        awaitIn(cache, 8, last);

        cache.publish(first, 0);
        cache.publish(second, 0);

        assertThat(behind.slot).isEqualTo(first);
        assertThat(last.slot).isEqualTo(second);
        cache.consume(first);
        cache.consume(second);
        assertThat(cache.figures().slotsInUse()).isZero();
    }

    @Test
    void figuresCountLookUpsByTheirOutcome() {
        fetched(1);
        cache.consume(cache.lookup(1));
        cache.lookup(2);
        int slot = cache.claim(3);
        awaitIn(cache, 3, new RecordingWaiter());
        cache.publish(slot, 0);
        int failing = cache.claim(4);
        awaitIn(cache, 4, new RecordingWaiter());
        cache.abort(failing);

        CacheFigures figures = cache.figures();
        assertThat(figures.adds()).isEqualTo(2);
        assertThat(figures.hits()).isEqualTo(1);
        assertThat(figures.inFlightHits()).isEqualTo(1);
        assertThat(figures.misses()).isEqualTo(2);
    }

    @Test
    void aCacheOfManyPagesHoldsNearlyAllOfThemAtOnce() {
        int slots = 4096;
        PageCache big = new PageCache(memory.allocate((long) slots * PageCache.PAGE_SIZE));
        long[] strides = {1, 10, 16_129, 1L << 20};
        for (long stride : strides) {
            int claimed = 0;
            for (int i = 0; i < slots; i++) {
                int slot = big.claim(i * stride);
                if (slot >= 0) {
                    big.publish(slot, 0);
                    claimed++;
                }
            }
            assertThat(claimed).isGreaterThan(slots * 99 / 100);
            big.resize(0);
            assertThat(big.figures().slotsInUse()).isZero();
            big.resize(slots);
        }
    }
}
