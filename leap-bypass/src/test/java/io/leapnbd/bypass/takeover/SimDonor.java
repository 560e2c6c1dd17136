package io.leapnbd.bypass.takeover;

import io.leapnbd.bypass.link.BareLink.Answer;
import io.leapnbd.bypass.takeover.Greeting.Found;
import io.leapnbd.bypass.takeover.Greeting.Owner;
import io.leapnbd.donor.protocol.Claimant;
import io.leapnbd.donor.protocol.Hello;
import io.leapnbd.donor.protocol.HelloReply;
import io.leapnbd.donor.protocol.Status;
import java.util.BitSet;
import java.util.HashMap;
import java.util.Map;
import java.util.TreeMap;
import java.util.UUID;
import org.jspecify.annotations.Nullable;

/** A donor process with one export, as docs/ownership.md has it, and nothing else. For one thread. */
final class SimDonor {

    static final int SLAB_SIZE = 1 << 20;

    /** What a page holds: 0 is blank, {@link #LOST} is lost, anything else was written. */
    static final long LOST = -1;

    final UUID incarnation;
    /** Hosts that cannot reach its address. */
    final BitSet cutFrom = new BitSet();

    /** Its process has ended. */
    boolean ended;

    /** Whether an operator has said that it will not come back. */
    boolean givenUp;

    long epoch;
    UUID content = Found.NONE;
    Owner owner = Owner.NOBODY;
    Note note = Note.NONE;

    /** As the owner numbers it; 0 for the note of a claim. */
    long noteVersion;

    /** When it answered its owner last, in the simulation's nanoseconds; -1 if never. */
    long answered = -1;

    final TreeMap<Integer, SimSlab> slabs = new TreeMap<>();
    private int lastHandle;

    SimDonor(UUID incarnation) {
        this.incarnation = incarnation;
    }

    Found observe(boolean ownerAnswers) {
        return new Found(
                incarnation,
                SLAB_SIZE,
                epoch,
                content,
                owner,
                ownerAnswers,
                0,
                100,
                100 - slabs.size(),
                slabs.size(),
                note);
    }

    /** The compare-and-set; answers the slabs that it took back, or null if it was refused. */
    @Nullable
    Map<Integer, SimSlab> claim(
            long seenEpoch, UUID seen, long seenNote, boolean blank, UUID next, Owner by, Note left) {
        if (seenEpoch != epoch || !seen.equals(content) || seenNote != noteVersion) {
            return null;
        }
        if (!next.equals(content) && !content.equals(Found.NONE) && !blank) {
            throw new IllegalArgumentException("other contents without a word");
        }
        Map<Integer, SimSlab> back = new HashMap<>();
        if (blank) {
            back.putAll(slabs);
            slabs.clear();
        }
        epoch++;
        givenUp = false;
        content = next;
        owner = by;
        note = left;
        noteVersion = 0;
        return back;
    }

    /** What a link is answered that observes or joins. */
    Answer answer(Hello hello) {
        boolean joins = hello.mode() == Hello.Mode.JOIN;
        boolean refused = joins && (hello.epoch() != epoch || !ownedBy(hello.instance()));
        return new Answer(refused ? Status.FENCED : Status.OK, describe());
    }

    HelloReply describe() {
        return new HelloReply(
                2,
                incarnation,
                new HelloReply.Limits(SLAB_SIZE, 9, 600),
                epoch,
                content,
                new Claimant(owner.instance(), owner.term(), owner.host(), owner.text()),
                HelloReply.Activity.NONE,
                new HelloReply.Room(9, 100, 100 - slabs.size(), slabs.size()),
                0,
                noteVersion,
                note.encode());
    }

    void tell(Note newer) {
        note = newer;
        noteVersion = newer.version();
    }

    boolean ownedBy(UUID instance) {
        return owner.instance().equals(instance);
    }

    boolean reachableFrom(int host) {
        return !ended && !cutFrom.get(host);
    }

    SimSlab grant(int index, long version, long[] lostPages) {
        SimSlab slab = new SimSlab(++lastHandle, version);
        System.arraycopy(lostPages, 0, slab.pages, 0, slab.pages.length);
        slabs.put(index, slab);
        return slab;
    }

    /** The lease has ended. */
    Map<Integer, SimSlab> expire() {
        Map<Integer, SimSlab> back = new HashMap<>(slabs);
        slabs.clear();
        content = Found.NONE;
        owner = Owner.NOBODY;
        note = Note.NONE;
        noteVersion = 0;
        return back;
    }

    /** A slab as it was lent; only its first pages are looked at. */
    static final class SimSlab {

        static final int PAGES = 3;

        final int handle;
        final long grantVersion;
        final long[] pages = new long[PAGES];

        /** Whether a write or trim has reached it. */
        boolean touched;

        SimSlab(int handle, long grantVersion) {
            this.handle = handle;
            this.grantVersion = grantVersion;
        }
    }
}
