package io.leapnbd.bypass.takeover;

import static org.assertj.core.api.Assertions.assertThat;

import io.leapnbd.bypass.map.SlabRow;
import io.leapnbd.bypass.takeover.TakeoverPlan.Fate;
import io.leapnbd.bypass.takeover.TakeoverPlan.Superseded;
import io.leapnbd.bypass.takeover.Verdict.Granted;
import io.leapnbd.bypass.takeover.Verdict.Source;
import io.leapnbd.donor.protocol.SlabCopies;
import java.util.BitSet;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.UUID;
import org.junit.jupiter.api.Test;

/** Slabs that were granted in vain, and what becomes of the one that was used. */
class TakeoverPlanTest {

    private static final UUID CONTENT = new UUID(8, 1);
    private static final UUID P0 = new UUID(1, 0);
    private static final UUID P1 = new UUID(1, 1);
    private static final long USED = 4L << 32 | 7;
    private static final long LATE = 4L << 32 | 8;

    private static Granted granted(Source source, boolean complete, boolean unheldLost, BitSet lost) {
        Note note = new Note(4L << 32, 1 << 20, 20, List.of(), Set.of(), lost, false);
        return new Granted(
                CONTENT,
                source,
                complete,
                5,
                List.of(),
                List.of(),
                Set.of(),
                Map.of(),
                Map.of(),
                Set.of(),
                Set.of(),
                Set.of(),
                unheldLost,
                note,
                List.of());
    }

    /** What the donor at a place lists for index 0. */
    private static HeldSlabs lists(int place, UUID process, int handle, long grant, boolean touched) {
        HeldSlabs held = new HeldSlabs(place, process, 1);
        held.add(0, handle, grant, grant, touched, SlabCopies.ALONE);
        return held;
    }

    /** Of one slab; its row is {@code P0}'s slab 10, or none. */
    private static Recorded file(boolean named) {
        return OneSlab.file(CONTENT, named ? SlabRow.of(P0, 10, USED) : null);
    }

    private static int handle(TakeoverPlan plan) {
        return Objects.requireNonNull(plan.planned(0)).first().handle();
    }

    @Test
    void a_slab_granted_in_vain_does_not_take_the_place_of_the_files_though_its_grant_is_later() {
        List<HeldSlabs> held = List.of(lists(0, P0, 10, USED, true), lists(1, P1, 20, LATE, false));
        for (boolean complete : new boolean[] {true, false}) {
            TakeoverPlan plan =
                    TakeoverPlan.of(granted(Source.FILE, complete, false, new BitSet()), file(true), 1, held);
            assertThat(plan.fate(0)).isEqualTo(Fate.KEPT);
            assertThat(handle(plan)).isEqualTo(10);
            assertThat(plan.superseded()).containsExactly(new Superseded(1, 0, 20, LATE));
        }
    }

    @Test
    void without_a_file_a_slab_granted_in_vain_does_not_win_either() {
        List<HeldSlabs> held = List.of(lists(0, P0, 10, USED, true), lists(1, P1, 20, LATE, false));
        TakeoverPlan plan = TakeoverPlan.of(granted(Source.LISTS, false, false, new BitSet()), null, 1, held);
        assertThat(plan.fate(0)).isEqualTo(Fate.ADOPTED);
        assertThat(handle(plan)).isEqualTo(10);
    }

    @Test
    void seed_303830_a_slab_granted_in_vain_does_not_hide_that_the_used_one_is_lost() {
        List<HeldSlabs> left = List.of(lists(1, P1, 20, LATE, false));
        // The donor of the one that was used is gone.
        TakeoverPlan byLists = TakeoverPlan.of(granted(Source.LISTS, false, true, new BitSet()), null, 1, left);
        assertThat(byLists.fate(0)).isEqualTo(Fate.LOST_WHOLE);
        assertThat(byLists.superseded()).containsExactly(new Superseded(1, 0, 20, LATE));
        // The note remembers it, when that donor is long forgotten.
        BitSet lost = new BitSet();
        lost.set(0);
        TakeoverPlan byNote = TakeoverPlan.of(granted(Source.LISTS, false, false, lost), null, 1, left);
        assertThat(byNote.fate(0)).isEqualTo(Fate.LOST_WHOLE);
        // The file says what was lost by its bitmap: the plan leaves that alone.
        TakeoverPlan byFile = TakeoverPlan.of(granted(Source.FILE, true, false, lost), file(false), 1, left);
        assertThat(byFile.fate(0)).isEqualTo(Fate.BLANK);
        assertThat(byFile.superseded()).containsExactly(new Superseded(1, 0, 20, LATE));
    }

    @Test
    void of_slabs_that_were_used_the_latest_grant_wins_and_a_touched_one_that_nobody_knows_stays() {
        List<HeldSlabs> held = List.of(lists(0, P0, 10, USED, true), lists(1, P1, 20, LATE, true));
        TakeoverPlan plan = TakeoverPlan.of(granted(Source.LISTS, false, false, new BitSet()), null, 1, held);
        assertThat(handle(plan)).isEqualTo(20);
        assertThat(plan.superseded()).containsExactly(new Superseded(0, 0, 10, USED));
        TakeoverPlan byFile = TakeoverPlan.of(granted(Source.FILE, true, false, new BitSet()), file(true), 1, held);
        assertThat(handle(byFile)).isEqualTo(10);
        assertThat(byFile.unexplained()).isEqualTo(1);
        assertThat(byFile.superseded()).isEmpty();
    }

    @Test
    void a_row_that_is_older_than_what_a_donor_lists_gives_way_if_the_file_is_not_the_truth() {
        List<HeldSlabs> held = List.of(lists(0, P0, 10, USED, true), lists(1, P1, 20, LATE, true));
        TakeoverPlan plan = TakeoverPlan.of(granted(Source.FILE, false, false, new BitSet()), file(true), 1, held);
        assertThat(handle(plan)).isEqualTo(20);
    }

    @Test
    void a_row_whose_donor_holds_another_slab_of_that_index_is_lost() {
        // The lease has ended and the slab was granted again, with another handle or another version.
        for (HeldSlabs other : List.of(lists(0, P0, 11, USED, true), lists(0, P0, 10, USED - 1, true))) {
            TakeoverPlan plan =
                    TakeoverPlan.of(granted(Source.FILE, true, false, new BitSet()), file(true), 1, List.of(other));
            assertThat(plan.fate(0)).isEqualTo(Fate.LOST_AS_WRITTEN);
        }
    }

    @Test
    void slabs_of_a_donor_that_is_begun_blank_are_not_adopted() {
        Granted before = granted(Source.LISTS, false, false, new BitSet());
        Granted abandoned = new Granted(
                CONTENT,
                Source.LISTS,
                false,
                5,
                List.of(),
                List.of(),
                Set.of(),
                Map.of(),
                Map.of(),
                Set.of(),
                Set.of(),
                Set.of(1),
                false,
                before.note(),
                List.of());
        TakeoverPlan plan = TakeoverPlan.of(abandoned, null, 1, List.of(lists(1, P1, 20, LATE, true)));
        assertThat(plan.fate(0)).isEqualTo(Fate.BLANK);
    }
}
