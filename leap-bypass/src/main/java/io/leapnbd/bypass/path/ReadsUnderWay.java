package io.leapnbd.bypass.path;

import io.leapnbd.bypass.link.LinkRequest;
import org.jspecify.annotations.Nullable;

/**
 * Reads under way, in the order in which they will have taken too long. They are of one size class, and most wait equally long: so a new one belongs at the end, or near
 * it. For the loop's thread; allocates nothing.
 */
final class ReadsUnderWay {

    /** A new one is not put further ahead than so many. It may be told late then. */
    private static final int MOST_STEPS = 16;

    private @Nullable LinkRequest first;
    private @Nullable LinkRequest last;

    /** Puts a read in that is in no list; {@link LinkRequest#dueNanos} is set. */
    void add(LinkRequest read) {
        LinkRequest before = last;
        for (int i = 0; before != null && i < MOST_STEPS && read.dueNanos - before.dueNanos < 0; i++) {
            before = before.dueBefore;
        }
        LinkRequest after = before == null ? first : before.dueAfter;
        read.dueBefore = before;
        read.dueAfter = after;
        read.inDueList = true;
        if (before == null) {
            first = read;
        } else {
            before.dueAfter = read;
        }
        if (after == null) {
            last = read;
        } else {
            after.dueBefore = read;
        }
    }

    /** Takes one out. */
    void remove(LinkRequest read) {
        LinkRequest before = read.dueBefore;
        LinkRequest after = read.dueAfter;
        if (before == null) {
            first = after;
        } else {
            before.dueAfter = after;
        }
        if (after == null) {
            last = before;
        } else {
            after.dueBefore = before;
        }
        read.dueBefore = null;
        read.dueAfter = null;
        read.inDueList = false;
    }

    /** The one that is due first. */
    @Nullable
    LinkRequest first() {
        return first;
    }
}
