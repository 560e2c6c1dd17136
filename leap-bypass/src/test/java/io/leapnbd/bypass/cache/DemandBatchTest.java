package io.leapnbd.bypass.cache;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.HashSet;
import java.util.Random;
import java.util.Set;
import org.junit.jupiter.api.Test;

class DemandBatchTest {

    private final AccessQueue queue = new AccessQueue(1024);
    private final DemandBatch batch = new DemandBatch();

    private void note(int kind, long page) {
        assertThat(queue.offer(kind, page, 1, 0, false, 0)).isTrue();
    }

    @Test
    void itKnowsWhatIsDemandedInItAndNothingElse() {
        note(AccessQueue.READ, 7);
        note(AccessQueue.WRITE, 8);
        note(AccessQueue.READ, 9);

        assertThat(batch.take(queue, 2)).isEqualTo(2);
        assertThat(batch.access(0).page()).isEqualTo(7);
        assertThat(batch.demands(7)).isTrue();
        assertThat(batch.demands(8)).isFalse();
        assertThat(batch.demands(9)).isFalse();

        assertThat(batch.take(queue, 2)).isEqualTo(1);
        assertThat(batch.demands(7)).as("of the batch before").isFalse();
        assertThat(batch.demands(9)).isTrue();
        assertThat(batch.take(queue, 2)).isZero();
        assertThat(batch.demands(9)).isFalse();
    }

    @Test
    void aDemandIsForeseenOnceItHasBeenAskedFor() {
        note(AccessQueue.READ, 7);
        batch.take(queue, 1);
        assertThat(batch.foresaw(7)).isFalse();
        assertThat(batch.demands(7)).isTrue();
        assertThat(batch.foresaw(7)).isTrue();
        assertThat(batch.foresaw(8)).isFalse();

        note(AccessQueue.READ, 7);
        batch.take(queue, 1);
        assertThat(batch.foresaw(7)).as("of the batch before").isFalse();
    }

    @Test
    void aFullBatchOfAnyPagesIsTold() {
        Random random = new Random(1);
        for (int round = 0; round < 100; round++) {
            Set<Long> demanded = new HashSet<>();
            for (int i = 0; i < 300; i++) {
                long page = random.nextInt(2) == 0 ? random.nextInt(512) : random.nextLong(1L << 40);
                note(AccessQueue.READ, page);
                if (i < DemandBatch.CAPACITY) {
                    demanded.add(page);
                }
            }
            assertThat(batch.take(queue, 1000)).isEqualTo(DemandBatch.CAPACITY);
            assertThat(demanded).allMatch(batch::demands);
            for (long page = 0; page < 512; page++) {
                assertThat(batch.demands(page)).isEqualTo(demanded.contains(page));
            }
            batch.take(queue, 1000);
        }
    }
}
