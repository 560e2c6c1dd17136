package io.leapnbd.bypass.queued;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;

@SuppressWarnings("NullAway") // no queue is behind these requests
class ElevatorTest {

    private static final int PAGE = 4096;

    private final Elevator elevator = new Elevator();

    @Test
    void readsAreSortedFromWhereTheLastOneEnded() {
        for (long page : new long[] {50, 10, 30}) {
            elevator.insert(bio(Bio.Kind.READ, page));
        }
        assertThat(offsets(1)).containsExactly(10L);
        elevator.insert(bio(Bio.Kind.READ, 5));
        elevator.insert(bio(Bio.Kind.READ, 20));
        assertThat(offsets(9)).containsExactly(20L, 30L, 50L, 5L);
        assertThat(elevator.isEmpty()).isTrue();
    }

    @Test
    void neighboursAreMergedAtBothEndsUpToALimit() {
        elevator.insert(bio(Bio.Kind.WRITE, 11));
        elevator.insert(bio(Bio.Kind.WRITE, 12));
        elevator.insert(bio(Bio.Kind.WRITE, 10));
        Bio merged = next();
        assertThat(merged.offset).isEqualTo(10 * PAGE);
        assertThat(merged.parts()).extracting(bio -> bio.offset / PAGE).containsExactly(10L, 11L, 12L);
        assertThat(elevator.isEmpty()).isTrue();

        int fit = Elevator.MAX_BYTES / PAGE;
        for (long page = 0; page < fit + 1; page++) {
            elevator.insert(bio(Bio.Kind.READ, page));
        }
        assertThat(next().parts()).hasSize(fit);
        assertThat(next().offset).isEqualTo((long) fit * PAGE);
    }

    @Test
    void readsGoBeforeWritesUntilThoseHaveStarvedTwice() {
        List<Bio.Kind> order = new ArrayList<>();
        elevator.insert(bio(Bio.Kind.WRITE, 1_000_000));
        for (int batch = 0; batch < 4; batch++) {
            for (int i = 0; i < Elevator.BATCH; i++) {
                elevator.insert(bio(Bio.Kind.READ, 1000L * batch + 10L * i));
            }
        }
        for (Bio bio = elevator.next(System.nanoTime()); bio != null; bio = elevator.next(System.nanoTime())) {
            order.add(bio.kind);
        }
        assertThat(order).hasSize(4 * Elevator.BATCH + 1);
        assertThat(order.indexOf(Bio.Kind.WRITE)).isEqualTo(Elevator.WRITES_STARVED * Elevator.BATCH);
    }

    @Test
    void whatHasExpiredBeginsTheNextBatch() {
        Bio old = bio(Bio.Kind.READ, 5000);
        elevator.insert(old);
        elevator.insert(bio(Bio.Kind.READ, 10));
        Bio first = elevator.next(old.submitNanos + Elevator.READ_EXPIRE_NANOS + 1);
        assertThat(first).isSameAs(old);
    }

    @Test
    void trimsAreNeitherSortedNorMerged() {
        elevator.insert(bio(Bio.Kind.READ, 1));
        elevator.insert(bio(Bio.Kind.TRIM, 9));
        elevator.insert(bio(Bio.Kind.TRIM, 8));
        assertThat(offsets(3)).containsExactly(9L, 8L, 1L);
    }

    private Bio next() {
        Bio bio = elevator.next(System.nanoTime());
        assertThat(bio).isNotNull();
        return bio;
    }

    private List<Long> offsets(int most) {
        List<Long> pages = new ArrayList<>();
        @Nullable Bio bio = null;
        while (pages.size() < most && (bio = elevator.next(System.nanoTime())) != null) {
            pages.add(bio.offset / PAGE);
        }
        return pages;
    }

    private static Bio bio(Bio.Kind kind, long page) {
        return new Bio(null, kind, page * PAGE, PAGE, null, 0, false, false, false, error -> {});
    }
}
