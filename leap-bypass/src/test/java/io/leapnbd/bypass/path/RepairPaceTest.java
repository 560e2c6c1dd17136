package io.leapnbd.bypass.path;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Random;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;

/** Histories of reads' latencies, in simulated time: a model of a machine says how long reads take at a rate of repair. */
class RepairPaceTest {

    private static final long LOOK = TimeUnit.MILLISECONDS.toNanos(10);
    private static final long MIB = 1 << 20;
    private static final long BASE = 50_000;

    private final Random random = new Random(7);
    private long now = 123;
    private final RepairPace pace = new RepairPace(now);

    /** Reads of a while, whose latency is {@code nanos} and up to a fifth more. */
    private long[] reads(int count, long nanos) {
        long[] counts = new long[DemandLatencies.SIZES];
        for (int i = 0; i < count; i++) {
            counts[DemandLatencies.sizeOf(nanos + random.nextLong(nanos / 5))]++;
        }
        return counts;
    }

    private void idle(int looks, int reads, long nanos) {
        for (int i = 0; i < looks; i++) {
            now += LOOK;
            pace.quiet(now, reads(reads, nanos));
        }
    }

    /** Answers the mean rate over the looks, in bytes a second; {@code full} is what no limit comes to. */
    private double repair(int looks, int reads, Machine machine, long full, long least) {
        double sum = 0;
        for (int i = 0; i < looks; i++) {
            now += LOOK;
            long rate = pace.paused() ? 0 : Math.min(full, pace.rate());
            sum += rate;
            pace.observe(now, reads(reads, machine.latency(rate)), least);
        }
        return sum / looks;
    }

    /** How long a read takes beside repair. */
    private interface Machine {
        long latency(long rate);
    }

    @Test
    void without_reads_there_is_no_limit() {
        assertThat(repair(100, 0, rate -> BASE, 1000 * MIB, RepairPace.LEAST)).isEqualTo(1000 * MIB);
        assertThat(pace.rate()).isEqualTo(RepairPace.FULL);
        assertThat(pace.piece()).isEqualTo(RepairPace.LARGEST_PIECE);
        assertThat(pace.waitNanos(now)).isZero();
    }

    @Test
    void reads_that_are_not_hurt_do_not_slow_it() {
        idle(100, 200, BASE);
        repair(300, 200, rate -> BASE, 1000 * MIB, RepairPace.LEAST);
        assertThat(repair(300, 200, rate -> BASE, 1000 * MIB, RepairPace.LEAST)).isGreaterThan(900.0 * MIB);
    }

    @Test
    void it_finds_the_rate_at_which_reads_are_not_hurt() {
        idle(100, 200, BASE);
        Machine machine = rate -> rate > 100 * MIB ? 3 * BASE : BASE;
        repair(300, 200, machine, 1000 * MIB, RepairPace.LEAST);
        double rate = repair(1000, 200, machine, 1000 * MIB, RepairPace.LEAST);
        assertThat(rate).isBetween(50.0 * MIB, 110.0 * MIB);
        assertThat(pace.piece()).isLessThanOrEqualTo(32 << 10);
    }

    @Test
    void the_more_reads_are_hurt_the_slower_it_is_but_it_never_stops() {
        idle(100, 200, BASE);
        repair(300, 200, rate -> 5 * BASE, 1000 * MIB, RepairPace.LEAST);
        assertThat(pace.rate()).isEqualTo(RepairPace.LEAST);
        assertThat(pace.piece()).isEqualTo(RepairPace.SMALLEST_PIECE);
        assertThat(repair(1000, 200, rate -> 5 * BASE, 1000 * MIB, RepairPace.LEAST))
                .isGreaterThan(0.9 * RepairPace.LEAST);
    }

    @Test
    void a_donor_that_needs_its_memory_comes_before_the_latency_of_reads() {
        idle(100, 200, BASE);
        repair(300, 200, rate -> 5 * BASE, 1000 * MIB, RepairPace.LEAST_FOR_WISHES);
        assertThat(pace.rate()).isEqualTo(RepairPace.LEAST_FOR_WISHES);
        // 1 GiB in 5 s, pauses included.
        assertThat(repair(1000, 200, rate -> 5 * BASE, 1000 * MIB, RepairPace.LEAST_FOR_WISHES))
                .isGreaterThan(1024.0 / 5 * MIB);
    }

    @Test
    void what_reads_take_without_it_is_learned_anew_while_it_goes_on() {
        idle(100, 200, BASE);
        // The client reads more at a time from now on: its reads are slower, with repair and without.
        repair(3000, 200, rate -> 4 * BASE, 1000 * MIB, RepairPace.LEAST);
        assertThat(repair(300, 200, rate -> 4 * BASE, 1000 * MIB, RepairPace.LEAST))
                .isGreaterThan(500.0 * MIB);
    }

    @Test
    void a_repair_that_begins_while_clients_read_learns_first_what_reads_take() {
        Machine machine = rate -> rate > 100 * MIB ? 3 * BASE : BASE;
        repair(600, 200, machine, 1000 * MIB, RepairPace.LEAST);
        assertThat(repair(1000, 200, machine, 1000 * MIB, RepairPace.LEAST)).isBetween(50.0 * MIB, 110.0 * MIB);
    }

    @Test
    void when_clients_stop_reading_there_is_no_limit_any_more() {
        idle(100, 200, BASE);
        repair(300, 200, rate -> 5 * BASE, 1000 * MIB, RepairPace.LEAST);
        repair(60, 0, rate -> BASE, 1000 * MIB, RepairPace.LEAST);
        assertThat(pace.rate()).isEqualTo(RepairPace.FULL);
    }

    @Test
    void bytes_begin_at_the_rate() {
        idle(100, 200, BASE);
        repair(300, 200, rate -> 5 * BASE, 1000 * MIB, RepairPace.LEAST);
        long begun = now;
        long bytes = 0;
        while (now - begun < TimeUnit.SECONDS.toNanos(1)) {
            long wait = pace.waitNanos(now);
            if (wait == 0) {
                pace.begun(now, pace.piece());
                bytes += pace.piece();
            } else {
                now += wait;
            }
        }
        assertThat(bytes).isBetween(RepairPace.LEAST, RepairPace.LEAST + 2L * pace.piece());
    }

    @Test
    void latencies_are_told_apart_to_a_sixteenth() {
        for (long nanos = 1024; nanos < TimeUnit.SECONDS.toNanos(10); nanos += 1 + nanos / 7) {
            long longest = DemandLatencies.longest(DemandLatencies.sizeOf(nanos));
            assertThat(longest).isBetween(nanos, nanos + nanos / 16 + 1);
        }
        assertThat(DemandLatencies.sizeOf(0)).isZero();
        assertThat(DemandLatencies.sizeOf(Long.MAX_VALUE)).isEqualTo(DemandLatencies.SIZES - 1);
    }
}
