package io.leapnbd.prefetch;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.HashSet;
import java.util.Set;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class PageCacheTest {

    private static final int SLOTS = 4;

    private final Arena memory = Arena.ofConfined();
    private final PageCache cache = new PageCache(memory.allocate((long) SLOTS * PageCache.PAGE_SIZE));

    @AfterEach
    void free() {
        memory.close();
    }

    private int fetched(long page) {
        int slot = cache.claim(page);
        assertThat(slot).isNotNegative();
        assertThat(cache.publish(slot, 0)).isTrue();
        return slot;
    }

    /** Whether a page is at hand, leaving it there. */
    private boolean holds(long page) {
        int slot = cache.lookup(page);
        if (slot >= 0) {
            cache.release(slot);
        }
        return slot >= 0;
    }

    private static void awaitIn(PageCache cache, long page, Waiter waiter) {
        int lookup = cache.lookup(page);
        assertThat(PageCache.isInFlight(lookup)).isTrue();
        assertThat(cache.await(PageCache.inFlightSlot(lookup), page, waiter)).isTrue();
    }

    // ---- fetching

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

    // ---- eviction

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

    // ---- waiting

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

    // ---- writes

    @Test
    void aWrittenPageIsGoneBeforeTheWriteIsSent() {
        fetched(7);

        cache.beginWrite(7, 1);

        assertThat(cache.lookup(7)).isEqualTo(PageCache.MISS);
        assertThat(cache.figures().slotsInUse()).isZero();
        assertThat(cache.figures().invalidated()).isEqualTo(1);
    }

    @Test
    void aWriteLeavesOtherPagesAlone() {
        fetched(6);
        fetched(7);
        fetched(10);

        cache.beginWrite(7, 3);

        assertThat(holds(6)).isTrue();
        assertThat(holds(7)).isFalse();
        assertThat(holds(10)).isTrue();
    }

    @Test
    void aTrimOfMorePagesThanTheCacheHasFindsThemAll() {
        fetched(5);
        int inFlight = cache.claim(1_000_000);
        fetched(2_000_000);

        cache.beginWrite(6, 1_999_994);

        assertThat(holds(5)).isTrue();
        assertThat(cache.lookup(1_000_000)).isEqualTo(PageCache.MISS);
        assertThat(cache.publish(inFlight, 0)).isFalse();
        assertThat(holds(2_000_000)).isTrue();
    }

    @Test
    void aPageIsNotFetchedWhileItIsBeingWritten() {
        cache.beginWrite(7, 1);
        assertThat(cache.claim(7)).isEqualTo(PageCache.BEING_WRITTEN);

        cache.endWrite(7, 1);
        assertThat(cache.claim(7)).isNotNegative();
    }

    @Test
    void aPageStaysOutUntilTheLastOfItsWritesHasEnded() {
        cache.beginWrite(7, 1);
        cache.beginWrite(6, 2);
        cache.endWrite(7, 1);
        assertThat(cache.claim(7)).isEqualTo(PageCache.BEING_WRITTEN);

        cache.endWrite(6, 2);
        assertThat(cache.claim(7)).isNotNegative();
    }

    @Test
    void noPageIsFetchedWhileATrimOfAGreatRangeIsInFlight() {
        cache.beginWrite(0, 1 << 20);
        assertThat(cache.claim(12_345)).isEqualTo(PageCache.BEING_WRITTEN);

        cache.endWrite(0, 1 << 20);
        assertThat(cache.claim(12_345)).isNotNegative();
    }

    @Test
    void everyPageOfALongWriteIsKeptOut() {
        cache.beginWrite(1000, 500);
        for (long page = 1000; page < 1500; page++) {
            assertThat(cache.claim(page)).isEqualTo(PageCache.BEING_WRITTEN);
        }
        cache.endWrite(1000, 500);
        assertThat(cache.claim(1000)).isNotNegative();
    }

    @Test
    void aFetchThatAWriteOvertookDoesNotEnterTheCache() {
        int slot = cache.claim(7);
        cache.beginWrite(7, 1);
        assertThat(cache.lookup(7)).isEqualTo(PageCache.MISS);

        assertThat(cache.publish(slot, 0)).isFalse();

        assertThat(cache.lookup(7)).isEqualTo(PageCache.MISS);
        assertThat(cache.figures().slotsInUse()).isZero();
        assertThat(cache.figures().adds()).isZero();
    }

    @Test
    void aFetchThatAWriteOvertookDoesNotEnterEvenWhenTheWriteHasEnded() {
        int slot = cache.claim(7);
        cache.beginWrite(7, 1);
        cache.endWrite(7, 1);

        assertThat(cache.lookup(7)).isEqualTo(PageCache.MISS);
        assertThat(cache.publish(slot, 0)).isFalse();
        assertThat(cache.lookup(7)).isEqualTo(PageCache.MISS);
    }

    @Test
    void aPageCanBeFetchedAnewWhileItsOvertakenFetchIsStillOut() {
        int overtaken = cache.claim(7);
        cache.beginWrite(7, 1);
        cache.endWrite(7, 1);

        int fresh = cache.claim(7);
        assertThat(fresh).isNotNegative().isNotEqualTo(overtaken);
        assertThat(cache.publish(fresh, 0)).isTrue();
        assertThat(cache.publish(overtaken, 0)).isFalse();
        assertThat(cache.lookup(7)).isEqualTo(fresh);
    }

    @Test
    void whoWaitedForAFetchThatAWriteOvertookIsSentToTheDonor() {
        int slot = cache.claim(7);
        RecordingWaiter waiter = new RecordingWaiter();
        awaitIn(cache, 7, waiter);
        cache.beginWrite(7, 1);

        cache.publish(slot, 0);

        assertThat(waiter.slot).isEqualTo(PageCache.MISS);
    }

    @Test
    void aPageThatIsBeingReadWhenItIsWrittenKeepsItsSlotForItsReadersOnly() {
        fetched(7);
        int reading = cache.lookup(7);
        int alsoReading = cache.lookup(7);

        cache.beginWrite(7, 1);
        cache.endWrite(7, 1);

        assertThat(cache.lookup(7)).isEqualTo(PageCache.MISS);
        assertThat(cache.claim(7)).isNotNegative().isNotEqualTo(reading);
        cache.release(reading);
        assertThat(cache.figures().slotsInUse()).isEqualTo(2);
        cache.consume(alsoReading);
        assertThat(cache.figures().slotsInUse()).isEqualTo(1);
    }

    @Test
    void aFailedFetchOfAWrittenPageFreesItsSlot() {
        int slot = cache.claim(7);
        cache.beginWrite(7, 1);

        cache.abort(slot);

        assertThat(cache.figures().slotsInUse()).isZero();
    }

    @Test
    void aWriteThatBeginsWhileAClaimIsBeingMadeMakesTheClaimTakeItselfBack() {
        PendingWrites writeInBetween = new PendingWrites() {
            private boolean asked;

            @Override
            boolean covers(long page) {
                boolean secondTime = asked;
                asked = true;
                return secondTime || super.covers(page);
            }
        };
        PageCache raced = new PageCache(memory.allocate(PageCache.PAGE_SIZE), writeInBetween);

        assertThat(raced.claim(7)).isEqualTo(PageCache.BEING_WRITTEN);

        assertThat(raced.lookup(7)).isEqualTo(PageCache.MISS);
        assertThat(raced.figures().slotsInUse()).isZero();
    }

    @Test
    void aWriteThatNeverBeganCannotEnd() {
        assertThatThrownBy(() -> cache.endWrite(7, 1)).isInstanceOf(IllegalStateException.class);
    }

    // ---- the budget

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

    // ---- figures

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
