package io.leapnbd.bypass.path;

import static org.assertj.core.api.Assertions.assertThat;

import io.leapnbd.bypass.link.LinkRequest;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.Random;
import org.junit.jupiter.api.Test;

class ReadsUnderWayTest {

    private final ReadsUnderWay reads = new ReadsUnderWay();

    private LinkRequest add(long due) {
        LinkRequest read = new LinkRequest();
        read.dueNanos = due;
        reads.add(read);
        return read;
    }

    private List<Long> takeAll() {
        List<Long> all = new ArrayList<>();
        for (LinkRequest first = reads.first(); first != null; first = reads.first()) {
            all.add(first.dueNanos);
            reads.remove(first);
        }
        return all;
    }

    @Test
    void theyAreInTheOrderInWhichTheyAreDue() {
        for (long due : new long[] {5, 3, 9, 3, 1, 7}) {
            add(due);
        }
        assertThat(takeAll()).containsExactly(1L, 3L, 3L, 5L, 7L, 9L);
    }

    @Test
    void anyOfThemMayEnd() {
        Random random = new Random(1);
        List<LinkRequest> present = new ArrayList<>();
        for (int i = 0; i < 10_000; i++) {
            if (present.size() > 10 || (!present.isEmpty() && random.nextBoolean())) {
                LinkRequest ended = present.remove(random.nextInt(present.size()));
                reads.remove(ended);
                assertThat(ended.inDueList).isFalse();
            } else {
                present.add(add(random.nextInt(100)));
            }
            if (!present.isEmpty()) {
                long first =
                        present.stream().mapToLong(read -> read.dueNanos).min().orElseThrow();
                assertThat(Objects.requireNonNull(reads.first()).dueNanos).isEqualTo(first);
            }
        }
        assertThat(takeAll()).hasSameSizeAs(present);
    }

    /** A row of slow reads must not make every fast one walk along it. */
    @Test
    void oneThatIsDueBeforeManyOthersIsNotLookedForALongPlace() {
        for (int i = 0; i < 1000; i++) {
            add(1000);
        }
        add(1);
        assertThat(Objects.requireNonNull(reads.first()).dueNanos).isEqualTo(1000);
        assertThat(takeAll()).hasSize(1001).contains(1L);
    }
}
