package io.leapnbd.bypass.map;

import io.leapnbd.bypass.map.Member.State;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.UUID;
import org.jspecify.annotations.Nullable;

/**
 * Where one slab of the device is: its copies, and what each may be used for (docs/replicas.md). Immutable. At least one copy is live,
 * and the live ones come first. Nothing here allocates but what makes another placement.
 */
public final class Placement {

    /** Most copies of a slab. */
    public static final int MAX_MEMBERS = 4;

    private final long generation;
    private final Member[] members;
    private final State[] states;
    private final int live;
    private final boolean told;

    private Placement(long generation, List<Member> members, List<State> states, boolean told) {
        this.generation = generation;
        this.told = told;
        this.members = members.toArray(new Member[0]);
        this.states = states.toArray(new State[0]);
        int count = 0;
        while (count < this.states.length && this.states[count] == State.LIVE) {
            count++;
        }
        live = count;
        if (live == 0 || this.members.length > MAX_MEMBERS) {
            throw new IllegalArgumentException("a placement of " + members + " that are " + states);
        }
    }

    /** A slab of which there is one copy. The generation is the version of its grant. */
    public static Placement of(Member member) {
        return of(member.grantVersion(), List.of(member));
    }

    /** Likewise; see {@link Member} for the parameters. */
    public static Placement of(int donor, UUID incarnation, int handle, long grantVersion) {
        return of(new Member(donor, incarnation, handle, grantVersion));
    }

    /** A slab of which there are several copies, all live. */
    public static Placement of(long generation, List<Member> live) {
        return new Placement(
                generation, live, live.stream().map(member -> State.LIVE).toList(), true);
    }

    /** A slab with copies of several states; at least one is live. */
    static Placement of(long generation, List<Member> members, List<State> states, boolean told) {
        List<Member> all = new ArrayList<>();
        List<State> allStates = new ArrayList<>();
        for (int i = 0; i < members.size(); i++) {
            int at = states.get(i) == State.LIVE ? liveAmong(allStates) : all.size();
            all.add(at, members.get(i));
            allStates.add(at, states.get(i));
        }
        return new Placement(generation, all, allStates, told);
    }

    /** Orders the placements of one slab: a later one has a higher number. */
    public long generation() {
        return generation;
    }

    /**
     * Whether the donors of the live copies name these, and no others that may still be believed. Until then nothing is acknowledged
     * under this placement.
     */
    public boolean told() {
        return told;
    }

    /** All copies, live ones first. */
    public List<Member> members() {
        return List.of(members);
    }

    /** How many copies there are, of whatever state. */
    public int size() {
        return members.length;
    }

    /** One of them, live ones first. */
    public Member member(int i) {
        return members[i];
    }

    /** How many of them are live; at least one. */
    public int live() {
        return live;
    }

    /** What one of them may be used for. */
    public State state(int i) {
        return states[i];
    }

    /** The first live one. */
    public Member primary() {
        return members[0];
    }

    /** Whether a copy is one of this very placement. */
    public boolean has(Member member) {
        return indexOf(member) >= 0;
    }

    /** The place of a copy among them; -1 if it is none. */
    public int indexOf(Member member) {
        for (int i = 0; i < members.length; i++) {
            if (members[i] == member) {
                return i;
            }
        }
        return -1;
    }

    /** The copy that is some donor process's slab; null if none is. */
    public @Nullable Member at(int donor, UUID incarnation) {
        for (Member member : members) {
            if (member.donor() == donor && member.incarnation().equals(incarnation)) {
                return member;
            }
        }
        return null;
    }

    /** Whether any copy is at a donor. */
    public boolean isAt(int donor) {
        for (Member member : members) {
            if (member.donor() == donor) {
                return true;
            }
        }
        return false;
    }

    /**
     * The placement without a copy whose bytes are gone; nobody is told yet. If no live one is left, complete ones become live: their
     * bytes are the only ones. Null if there is none either: then the bytes of the slab are gone.
     */
    public @Nullable Placement withoutGone(Member gone, long nextGeneration) {
        boolean anyLive = false;
        for (int i = 0; i < live; i++) {
            anyLive |= members[i] != gone;
        }
        List<Member> left = new ArrayList<>();
        List<State> leftStates = new ArrayList<>();
        for (int i = 0; i < members.length; i++) {
            if (members[i] != gone) {
                left.add(members[i]);
                leftStates.add(!anyLive && states[i] == State.COMPLETE ? State.LIVE : states[i]);
            }
        }
        return liveAmong(leftStates) == 0 ? null : of(nextGeneration, left, leftStates, false);
    }

    /** The placement without some copies, of which at least one live one is not; the others have been told. */
    public Placement without(Collection<Member> dropped, long nextGeneration) {
        List<Member> left = new ArrayList<>();
        List<State> leftStates = new ArrayList<>();
        for (int i = 0; i < members.length; i++) {
            if (!dropped.contains(members[i])) {
                left.add(members[i]);
                leftStates.add(states[i]);
            }
        }
        return new Placement(nextGeneration, left, leftStates, true);
    }

    private static int liveAmong(List<State> states) {
        return (int) states.stream().filter(State.LIVE::equals).count();
    }

    /** The placement with one more copy, which does not have everything yet. */
    public Placement withFilling(Member fresh, long nextGeneration) {
        List<Member> all = new ArrayList<>(members());
        List<State> allStates = new ArrayList<>(List.of(states));
        all.add(fresh);
        allStates.add(State.FILLING);
        return new Placement(nextGeneration, all, allStates, told);
    }

    /** The placement with a filling copy that has everything now. */
    public Placement withComplete(Member filled, long nextGeneration) {
        return with(List.of(filled), State.FILLING, State.COMPLETE, nextGeneration, told);
    }

    /** The placement with a complete copy that is live from now on; all live ones have been told. */
    public Placement withLive(Member complete, long nextGeneration) {
        return with(List.of(complete), State.COMPLETE, State.LIVE, nextGeneration, true);
    }

    /** The placement with live copies that others are about to be told to leave out: they are complete, not live, from now on. */
    public Placement withDoubt(Collection<Member> leaving, long nextGeneration) {
        return with(leaving, State.LIVE, State.COMPLETE, nextGeneration, false);
    }

    /** The placement whose live copies have been told that they are the live ones. */
    public Placement asTold(long nextGeneration) {
        return new Placement(nextGeneration, members(), List.of(states), true);
    }

    private Placement with(Collection<Member> which, State before, State after, long nextGeneration, boolean toldNow) {
        List<State> all = new ArrayList<>();
        for (int i = 0; i < members.length; i++) {
            all.add(states[i] == before && which.contains(members[i]) ? after : states[i]);
        }
        return of(nextGeneration, members(), all, toldNow);
    }

    /** For messages. */
    @Override
    public String toString() {
        StringBuilder text = new StringBuilder("placement ").append(generation).append(" at");
        for (int i = 0; i < members.length; i++) {
            text.append(i == 0 ? " " : ", ").append(members[i]).append(' ').append(states[i].name());
        }
        return text.toString();
    }
}
