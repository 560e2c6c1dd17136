package io.leapnbd.prefetch;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayDeque;
import java.util.Random;
import org.junit.jupiter.api.Test;

class DisplacementTest {

    private static final int CACHE = 1000;

    private final Displacement displacement = new Displacement();
    private final ArrayDeque<Integer> waiting = new ArrayDeque<>();

    private void fetch() {
        waiting.addLast(displacement.fetched());
    }

    /** Pages are demanded, or not, when so many others have been fetched after them. */
    private void demandAtAge(int age, int rounds) {
        for (int i = 0; i < rounds; i++) {
            fetch();
            if (waiting.size() > age) {
                displacement.settled(waiting.removeFirst(), age <= CACHE);
            }
        }
        waiting.clear();
    }

    @Test
    void aFetchCostsNothingWhenPagesAreDemandedAtOnce() {
        demandAtAge(3, 20_000);

        assertThat(displacement.price()).isZero();
    }

    @Test
    void aFetchCostsAHitWhenAllPagesAreDemandedJustBeforeTheyAreGivenUp() {
        demandAtAge(CACHE, 20_000);

        assertThat(displacement.price()).isBetween(0.9f, 1.1f);
    }

    @Test
    void aFetchCostsAHitWhenAllPagesAreDemandedJustAfterTheyHaveBeenGivenUp() {
        demandAtAge(CACHE, 2000);
        demandAtAge(CACHE + 100, 20_000);

        assertThat(displacement.price()).isBetween(0.9f, 1.1f);
    }

    @Test
    void aFetchCostsWhatItGainsWhenAnyPageIsAsLikelyAsAnother() {
        Random random = new Random(1);
        int[] cache = new int[CACHE];
        int hits = 0;
        int fetches = 200_000;
        for (int i = 0; i < fetches; i++) {
            int slot = i % CACHE;
            cache[slot] = displacement.fetched();
            // One in five pages is demanded while it is there, at any time.
            if (random.nextInt(5) == 0) {
                displacement.settled(cache[random.nextInt(Math.min(i + 1, CACHE))], true);
                hits++;
            }
        }

        assertThat(displacement.price()).isBetween(0.4f * hits / fetches, 1.1f * hits / fetches);
    }

    @Test
    void thePriceIsForgottenWhenNothingIsFetched() {
        demandAtAge(CACHE, 20_000);
        for (int i = 0; i < 100_000; i++) {
            displacement.demanded();
        }

        assertThat(displacement.price()).isLessThan(0.01f);
    }

    @Test
    void howLongPagesLiveIsLearned() {
        demandAtAge(CACHE, 5000);
        int born = displacement.fetched();
        demandAtAge(CACHE, CACHE - 10);
        assertThat(displacement.isGone(born)).isFalse();
        demandAtAge(CACHE, 20);
        assertThat(displacement.isGone(born)).isTrue();
        assertThat(displacement.isHistory(born)).isFalse();
        demandAtAge(CACHE, CACHE);
        assertThat(displacement.isHistory(born)).isTrue();

        int young = displacement.fetched();
        for (int i = 0; i < 100; i++) {
            fetch();
        }
        assertThat(displacement.isGone(young)).isFalse();
        for (int i = 0; i < 200; i++) {
            displacement.settled(young, false);
        }
        fetch();
        assertThat(displacement.isGone(young))
                .as("after younger ones were given up")
                .isTrue();
    }

    /** Not something that is nearly nothing: see {@link Fading}. */
    @Test
    void aPriceThatWasLongAgoIsNothing() {
        demandAtAge(CACHE, 20_000);
        for (int i = 0; i < 1_000_000; i++) {
            displacement.demanded();
        }

        assertThat(displacement.price()).isZero();
    }
}
