package io.leapnbd.prefetch;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Random;
import org.junit.jupiter.api.Test;

class NearPagesTest {

    /** A head and its eight parts; nine pages from one head to the next. */
    private static final int HEADS = 2000;

    private static final long SPACING = 9;

    private final NearPages near = new NearPages(1 << 16);
    private final Random random = new Random(1);

    private void request(long page, int pages, boolean unforeseen) {
        near.requested(page);
        for (long at = page; at < page + pages; at++) {
            near.demanded(at, unforeseen);
        }
        near.ended(page, page + pages - 1);
    }

    private void lookUp(int head, boolean unforeseen) {
        request(SPACING * head, 1, true);
        request(SPACING * head + 1 + random.nextInt(8), 1, unforeseen);
        // Somebody else's, elsewhere.
        for (int i = 0; i < 3; i++) {
            request(40_000 + random.nextInt(20_000), 1, true);
        }
    }

    private void lookUps(int count, boolean unforeseen) {
        for (int i = 0; i < count; i++) {
            lookUp(random.nextInt(HEADS), unforeseen);
        }
    }

    @Test
    void aPageThatANearOneFollowedOnIsFollowedByANearOneAgain() {
        lookUps(20_000, true);

        request(SPACING * 1000, 1, true);
        for (int distance = 1; distance <= NearPages.REACH; distance++) {
            assertThat(near.odds(distance)).as("above, %s", distance).isBetween(0.08f, 0.2f);
            assertThat(near.odds(-distance)).as("below, %s", distance).isLessThan(0.01f);
        }
        request(SPACING * 1000 + 3, 1, true);
        for (int distance = 1; distance <= NearPages.REACH; distance++) {
            assertThat(near.odds(distance)).as("above a part, %s", distance).isLessThan(0.04f);
        }
        request(50_000, 1, true);
        for (int distance = 1; distance <= NearPages.REACH; distance++) {
            assertThat(near.odds(distance)).as("above another, %s", distance).isLessThan(0.01f);
        }
    }

    @Test
    void whatOthersForeseeDoesNotCount() {
        lookUps(20_000, false);

        request(SPACING * 1000, 1, true);
        for (int distance = 1; distance <= NearPages.REACH; distance++) {
            assertThat(near.odds(distance)).isLessThan(0.01f);
        }
    }

    @Test
    void aPageThatWasReadLatelyIsNotWhatFollows() {
        for (int i = 0; i < 20; i++) {
            // Of each head one part a round, in turn; no head beside the one before.
            for (int j = 0; j < HEADS; j++) {
                int head = j * 997 % HEADS;
                request(SPACING * head, 1, true);
                request(SPACING * head + 1 + (head + i) % 8, 1, true);
            }
        }
        int head = 1000;
        request(SPACING * head, 1, true);
        int read = 1 + (head + 19) % 8;
        int notYet = 1 + (head + 20) % 8;

        assertThat(near.odds(notYet)).isGreaterThan(2 * near.odds(read));
    }

    @Test
    void aRewrittenPageIsUnknownAgain() {
        lookUps(20_000, true);
        request(SPACING * 1000, 1, true);
        float head = near.odds(4);
        near.written(SPACING * 1000);
        request(SPACING * 1000, 1, true);

        assertThat(near.odds(4)).isLessThan(head / 2);
    }

    @Test
    void ofARequestForSeveralPagesWhatFollowsIsOutsideIt() {
        for (int i = 0; i < 5000; i++) {
            long page = 16L * random.nextInt(2000);
            request(page, 4, true);
            request(page + 5, 1, true);
            request(40_000 + random.nextInt(20_000), 1, true);
        }
        request(16_000, 4, true);

        assertThat(near.odds(2)).isGreaterThan(0.8f);
        assertThat(near.odds(1)).isLessThan(0.05f);
        assertThat(near.odds(-1)).isLessThan(0.05f);
    }
}
