package io.leapnbd.bypass.spill;

import org.jspecify.annotations.Nullable;

/** Something that a thread of {@link SpillThreads} does. Its fields are whoever's that submits it until then, and again from {@link #run} on. */
public abstract class SpillTask {

    /** What may be under way at the same time. */
    public enum Kind {
        /** Reads pages of a slab. */
        READ,
        /** Changes pages of a slab. */
        CHANGE,
        /** Changes what is lent, or to whom: nothing else is under way meanwhile. */
        ALONE,
        /** Ends when all that was submitted before it has; others go on meanwhile. */
        LAST
    }

    Kind kind = Kind.LAST;
    int slab;
    int from;
    int to;

    @Nullable
    SpillTask next;

    /** Made once, used again and again. */
    protected SpillTask() {}

    /**
     * Says what it is before it is submitted.
     *
     * @param slab its handle, and from which byte to which it is about it; of no use for {@link Kind#ALONE} and {@link Kind#LAST}
     */
    public final void is(Kind what, int slab, int from, int to) {
        kind = what;
        this.slab = slab;
        this.from = from & -DirectFile.BLOCK;
        this.to = to + DirectFile.BLOCK - 1 & -DirectFile.BLOCK;
    }

    /** Does it. A throw is logged, and nothing else. */
    protected abstract void run();

    /** Whether this has to wait for one that was submitted before. */
    final boolean waitsFor(SpillTask earlier) {
        if (kind == Kind.ALONE || kind == Kind.LAST || earlier.kind == Kind.ALONE) {
            return true;
        }
        if (earlier.kind == Kind.LAST || (kind == Kind.READ && earlier.kind == Kind.READ)) {
            return false;
        }
        return slab == earlier.slab && from < earlier.to && earlier.from < to;
    }
}
