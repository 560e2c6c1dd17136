package io.leapnbd.bypass.path;

import static org.assertj.core.api.Assertions.assertThat;

import io.leapnbd.bypass.link.Donor;
import io.leapnbd.donor.linux.SuspendedTime;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.LongSupplier;
import org.junit.jupiter.api.Test;

/** G8: a server that may have been replaced and cannot know answers nothing by itself. */
class OwnershipLeaseTest {

    private static final long LEASE = OwnershipLease.LEASE_NANOS;

    private final LoopLinks links = new LoopLinks(new IdleLink(), new IdleLink());
    private final Donor one = links.get(0).donor();
    private final Donor other = links.get(1).donor();
    private final AtomicLong suspended = new AtomicLong(TimeUnit.HOURS.toNanos(3));
    private final OwnershipLease lease = lease(suspended::get);
    private final long start = System.nanoTime();

    private OwnershipLease lease(LongSupplier suspendedNanos) {
        return new OwnershipLease(links, suspendedNanos, false, LEASE);
    }

    @Test
    void without_a_proof_nothing_is_answered() {
        assertThat(lease.valid(start)).isFalse();
    }

    @Test
    void an_answer_of_any_donor_to_any_loop_counts_for_one_second_after_its_question() {
        other.proven(start);
        assertThat(lease.valid(start + LEASE - 1)).isTrue();
        assertThat(lease.valid(start + LEASE)).isFalse();
        one.proven(start + LEASE);
        assertThat(lease.valid(start + 2 * LEASE - 1)).isTrue();
        assertThat(lease.valid(start + 2 * LEASE)).isFalse();
    }

    @Test
    void answers_that_come_late_take_no_proof_away() {
        one.proven(start + LEASE);
        one.proven(start);
        assertThat(lease.valid(start + 2 * LEASE - 1)).isTrue();
    }

    @Test
    void a_suspend_ends_it_though_its_clock_stood_still() {
        one.proven(start);
        assertThat(lease.valid(start + 1)).isTrue();
        suspended.addAndGet(TimeUnit.SECONDS.toNanos(5));
        assertThat(lease.valid(start + 2)).isFalse();
        // The question was asked before the suspend, and is answered after it.
        other.proven(start + 1);
        long resumed = System.nanoTime();
        assertThat(lease.valid(resumed)).isFalse();
        one.proven(resumed + LEASE / 2);
        assertThat(lease.valid(resumed + LEASE / 2 + 1)).isTrue();
    }

    @Test
    void a_thread_that_loses_its_processor_between_two_clocks_was_not_suspended() {
        AtomicLong looks = new AtomicLong();
        OwnershipLease mine =
                lease(() -> looks.getAndIncrement() == 1 ? TimeUnit.SECONDS.toNanos(9) : TimeUnit.SECONDS.toNanos(1));
        one.proven(start);
        assertThat(mine.valid(start + 1)).isTrue();
        assertThat(looks.get()).isGreaterThan(2);
    }

    @Test
    void the_clocks_of_this_machine_show_no_suspend_while_it_runs() {
        SuspendedTime time = new SuspendedTime();
        assertThat(time.getAsLong()).isNotNegative();
        Suspensions suspensions = new Suspensions(time);
        for (int i = 0; i < 1_000; i++) {
            assertThat(suspensions.ended()).isFalse();
        }
    }
}
