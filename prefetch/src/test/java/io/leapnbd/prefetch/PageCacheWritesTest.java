package io.leapnbd.prefetch;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import org.junit.jupiter.api.Test;

/** What writes do to cached pages and to fetches that are on their way. */
class PageCacheWritesTest extends PageCacheFixture {

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
}
