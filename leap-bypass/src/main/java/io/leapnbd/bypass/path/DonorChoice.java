package io.leapnbd.bypass.path;

import io.leapnbd.bypass.link.Donor;
import io.leapnbd.bypass.map.AddressMap;
import io.leapnbd.bypass.map.Member;
import io.leapnbd.bypass.map.Placement;
import io.leapnbd.bypass.map.StateFile;
import java.util.Arrays;
import java.util.BitSet;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.random.RandomGenerator;

/**
 * Which donor is asked for a slab, by the power of two choices: of two donors drawn at random, the one with more
 * free slabs (Mitzenmacher 2001; Leap, section 4.4, places remote memory so). Slabs that a donor is being asked for are not
 * free any more: a large write needs many at once, before a donor has said how many it has left.
 *
 * <p>A donor that owes an answer for longer than it may is left out by all loops until it has given it. One that is being asked for a slab already,
 * or that gives this slab back, is not asked for it a second time: its answers could not be told apart.
 *
 * <p>Shared by all loops; guarded by its monitor, and used once for each slab.
 */
final class DonorChoice {

    static final int NONE = -1;

    /** The machine that each donor is on: copies of a slab are on different ones. */
    private final int[] machines;

    /** How many slabs each donor is being asked for. */
    private final int[] asked;

    /** How many of these answers are overdue. */
    private final int[] late;

    /** Slab and donor of each question and each return under way. */
    private final Set<Long> busy = new HashSet<>();

    private final RandomGenerator random;

    DonorChoice(int[] machines, RandomGenerator random) {
        this.random = random;
        this.machines = Arrays.copyOf(machines, StateFile.MAX_DONORS);
        asked = new int[StateFile.MAX_DONORS];
        late = new int[StateFile.MAX_DONORS];
    }

    /** A donor was added. Before any loop has a link to it. */
    synchronized void onMachine(int donor, int machine) {
        machines[donor] = machine;
    }

    /** Chooses a donor on none of the machines that hold a copy, and counts it as being asked; or {@link #NONE}. */
    synchronized int choose(int slab, DeviceLoop loop, BitSet refused, List<Member> copies) {
        int one = draw(slab, loop, refused, copies, NONE);
        if (one == NONE) {
            return NONE;
        }
        int other = draw(slab, loop, refused, copies, one);
        int chosen = other != NONE && left(loop, other) > left(loop, one) ? other : one;
        return ask(slab, chosen);
    }

    /** The member of last resort, counted as being asked, if it has room and no copy of the slab; or {@link #NONE}. */
    synchronized int chooseLastResort(int slab, DeviceLoop loop, BitSet refused, List<Member> copies) {
        for (int donor = 0; donor < loop.links(); donor++) {
            if (loop.link(donor).donor().lastResort() && mayBeAsked(donor, slab, loop, refused, copies)) {
                return ask(slab, donor);
            }
        }
        return NONE;
    }

    /**
     * A donor that has said that it has no room, counted as being asked all the same; or {@link #NONE}. The member of last resort comes after all others.
     * What a donor said last may not be so any more. Answers over several connections overtake each other, and a donor that nothing is asked of says nothing.
     */
    synchronized int chooseFull(int slab, DeviceLoop loop, BitSet refused) {
        int chosen = NONE;
        for (int donor = 0; donor < loop.links(); donor++) {
            Donor of = loop.link(donor).donor();
            if (of.takesSlabs() && answers(donor, slab, loop, refused) && (chosen == NONE || !of.lastResort())) {
                chosen = donor;
            }
        }
        return chosen == NONE ? NONE : ask(slab, chosen);
    }

    /** Counts it as being asked. */
    private int ask(int slab, int donor) {
        asked[donor]++;
        boolean _ = busy.add(key(slab, donor));
        return donor;
    }

    private boolean mayBeAsked(int donor, int slab, DeviceLoop loop, BitSet refused, List<Member> copies) {
        return answers(donor, slab, loop, refused)
                && !onMachineOf(donor, copies)
                && hasRoom(loop.link(donor).donor());
    }

    private boolean answers(int donor, int slab, DeviceLoop loop, BitSet refused) {
        return !refused.get(donor) && late[donor] == 0 && loop.link(donor).ready() && !busy.contains(key(slab, donor));
    }

    /** A donor that may have room, each with the same chance. */
    private int draw(int slab, DeviceLoop loop, BitSet refused, List<Member> copies, int except) {
        int chosen = NONE;
        int seen = 0;
        for (int donor = 0; donor < loop.links(); donor++) {
            if (donor != except
                    && !loop.link(donor).donor().lastResort()
                    && mayBeAsked(donor, slab, loop, refused, copies)) {
                seen++;
                if (random.nextInt(seen) == 0) {
                    chosen = donor;
                }
            }
        }
        return chosen;
    }

    private static boolean hasRoom(Donor donor) {
        return donor.freeSlabs() > 0 && donor.takesSlabs();
    }

    /** Whether any of some copies is on a donor's machine. */
    synchronized boolean onMachineOf(int donor, List<Member> copies) {
        for (int i = 0; i < copies.size(); i++) {
            if (machines[copies.get(i).donor()] == machines[donor]) {
                return true;
            }
        }
        return false;
    }

    /** What a donor will have when all that it is being asked for is granted. */
    private int left(DeviceLoop loop, int donor) {
        return loop.link(donor).donor().freeSlabs() - asked[donor];
    }

    /** Whether every donor is connected and has said that it has no room, and none is being asked for the slab. */
    synchronized boolean allFull(int slab, DeviceLoop loop) {
        for (int donor = 0; donor < loop.links(); donor++) {
            if (loop.link(donor).donor().use() == Donor.Use.GONE) {
                continue;
            }
            if (!loop.link(donor).ready() || hasRoom(loop.link(donor).donor()) || busy.contains(key(slab, donor))) {
                return false;
            }
        }
        return true;
    }

    /** Likewise, without a look at the member of last resort. */
    synchronized boolean allDonorsFull(int slab, DeviceLoop loop) {
        for (int donor = 0; donor < loop.links(); donor++) {
            Donor of = loop.link(donor).donor();
            if (of.use() != Donor.Use.GONE
                    && !of.lastResort()
                    && (!loop.link(donor).ready() || hasRoom(of) || busy.contains(key(slab, donor)))) {
                return false;
            }
        }
        return true;
    }

    /** A donor that is being asked owes the answer. */
    synchronized void late(int donor) {
        late[donor]++;
    }

    /** Whether a donor is being asked for a slab, or owes an answer. */
    synchronized boolean isAsked(int donor) {
        return asked[donor] > 0 || late[donor] > 0;
    }

    /** A donor that was asked has answered, or cannot any more. */
    synchronized void answered(int slab, int donor, boolean wasLate) {
        asked[donor]--;
        boolean _ = busy.remove(key(slab, donor));
        if (wasLate) {
            late[donor]--;
        }
    }

    /** Whether a slab may be given back: it is not in use, and its donor is not being asked for the same one again. */
    synchronized boolean beginFreeing(int slab, Member surplus, AddressMap map) {
        Placement now = map.placement(slab);
        Member at = now == null ? null : now.at(surplus.donor(), surplus.incarnation());
        boolean inUse = at != null && at.handle() == surplus.handle();
        return !inUse && busy.add(key(slab, surplus.donor()));
    }

    /** The same of a slab that is in use, and of which the caller takes care that nobody uses it. */
    synchronized boolean beginReturning(int slab, int donor) {
        return busy.add(key(slab, donor));
    }

    synchronized void endFreeing(int slab, int donor) {
        boolean _ = busy.remove(key(slab, donor));
    }

    private static long key(int slab, int donor) {
        return (long) slab << 32 | donor;
    }
}
