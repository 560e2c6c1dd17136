package io.leapnbd.bypass.takeover;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * Random histories of hosts, servers that are killed anywhere in their start, donors that restart, are cut off, forget, and files that
 * are old or gone: no server ever reads a page as anything but its newest acknowledged write, or as an error where that is lost. FAULTS
 * A1, A3-A7, A9, E2-E4, F1-F4.
 *
 * <p>{@code -Dleap.histories=N} runs N of them, {@code -Dleap.seed=S} begins with another.
 */
class TakeoverHistoryTest {

    private static final int HISTORIES = Integer.getInteger("leap.histories", 100);
    private static final long SEED = Long.getLong("leap.seed", 1);

    private static final int SCENES = 40;

    @TempDir
    Path folder;

    @Test
    void no_server_reads_a_foreign_stale_or_zero_page_whatever_happened_before() throws Exception {
        Tally tally = new Tally();
        for (long seed = SEED; seed < SEED + HISTORIES; seed++) {
            run(seed, tally);
        }
        // The histories have to come by what they are about.
        assertThat(tally.starts).isGreaterThanOrEqualTo(HISTORIES);
        assertThat(tally.fromFile).isGreaterThanOrEqualTo(HISTORIES / 10);
        assertThat(tally.fromLists).isGreaterThanOrEqualTo(HISTORIES / 10);
        assertThat(tally.killedInStart).isGreaterThanOrEqualTo(HISTORIES / 20);
        assertThat(tally.refused).isGreaterThanOrEqualTo(HISTORIES / 10);
        assertThat(tally.lostSeen).isGreaterThanOrEqualTo(HISTORIES / 10);
        assertThat(tally.right).isGreaterThanOrEqualTo(HISTORIES);
        assertThat(tally.moved).isGreaterThanOrEqualTo(HISTORIES / 20);
        // One seed by itself may do without.
        assertThat(tally.hedgesWon).isGreaterThanOrEqualTo(HISTORIES < 100 ? 0 : HISTORIES / 10);
        assertThat(tally.givenBack).isGreaterThanOrEqualTo(HISTORIES < 100 ? 0 : 1);
        System.out.println(tally);
    }

    private void run(long seed, Tally tally) throws Exception {
        TakeoverWorld world = new TakeoverWorld(folder.resolve("s" + seed), seed, tally);
        try {
            world.run();
        } catch (Exception | AssertionError e) {
            throw new AssertionError("seed " + seed + ":\n" + world.story(), e);
        } finally {
            world.close();
        }
    }

    /** A read had to look again because its slab got another copy, and the simulation's clock left it no turn before its deadline. */
    @Test
    void seed_5001511_a_read_that_looks_again_ends_before_its_deadline() throws Exception {
        run(5_001_511, new Tally());
    }

    /** The attack on rule 4: with the word left out, a take-over looks like the end of all donors, and its victim goes on. */
    @Test
    void a_takeover_ends_links_by_a_word_that_the_end_of_a_process_does_not_say() throws Exception {
        assertThat(failures(Scenes.DONOR_RESTARTS_AFTER_A_TAKEOVER, true)).isZero();
        assertThat(failures(Scenes.DONOR_RESTARTS_AFTER_A_TAKEOVER, false)).isPositive();
    }

    /**
     * A member of a placement was silent, and was left out for a write that the others have. Then the server loses its state file, and sometimes those
     * others too. What the member has may be believed no more.
     */
    @Test
    void the_old_bytes_of_a_dropped_member_never_come_back_after_the_state_file_is_lost() throws Exception {
        Tally tally = new Tally();
        for (int copies = 2; copies <= 3; copies++) {
            for (long seed = 1; seed <= SCENES; seed++) {
                TakeoverWorld world = new TakeoverWorld(folder.resolve(copies + "c" + seed), seed, tally, true, copies);
                try {
                    world.play(Scenes.COPY_LEFT_OUT);
                } catch (AssertionError e) {
                    throw new AssertionError(copies + " copies, seed " + seed + ":\n" + world.story(), e);
                } finally {
                    world.close();
                }
            }
        }
        assertThat(tally.drops).isGreaterThan(SCENES);
        assertThat(tally.acknowledged).isGreaterThan(4L * SCENES);
        assertThat(tally.lostSeen).isGreaterThanOrEqualTo(SCENES);
    }

    private int failures(int scene, boolean fencedWord) throws Exception {
        int failures = 0;
        for (long seed = 1; seed <= SCENES; seed++) {
            Path at = folder.resolve("scene" + seed + fencedWord);
            try (TakeoverWorld world = new TakeoverWorld(at, seed, new Tally(), fencedWord)) {
                world.play(scene);
            } catch (AssertionError e) {
                failures++;
            }
        }
        return failures;
    }
}
