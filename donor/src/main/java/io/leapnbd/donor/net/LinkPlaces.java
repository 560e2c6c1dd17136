package io.leapnbd.donor.net;

import java.util.HashSet;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * Who may be connected. Links that have claimed nothing do not keep a server out: when all places are taken, the one of them that was
 * silent longest makes room. Any thread.
 */
final class LinkPlaces {

    /** A link, as far as its place is concerned. Any thread. */
    interface Occupant {

        /** When it was last heard, by {@link System#nanoTime}. */
        long lastHeard();

        /** Has to end; its place was given away. Must not block. */
        void evicted();
    }

    private final int most;
    private final Set<Occupant> unclaimed = new HashSet<>();
    private final Set<Occupant> claimed = new HashSet<>();

    LinkPlaces(int most) {
        this.most = most;
    }

    /** Gives a link that has connected a place; false if all are taken by links that have claimed. */
    boolean enter(Occupant link) {
        Occupant gone = null;
        synchronized (this) {
            if (unclaimed.size() + claimed.size() >= most) {
                gone = longestSilent();
                if (gone == null) {
                    return false;
                }
                unclaimed.remove(gone);
            }
            unclaimed.add(link);
        }
        if (gone != null) {
            gone.evicted();
        }
        return true;
    }

    private @Nullable Occupant longestSilent() {
        Occupant longest = null;
        for (Occupant link : unclaimed) {
            if (longest == null || link.lastHeard() - longest.lastHeard() < 0) {
                longest = link;
            }
        }
        return longest;
    }

    /** The link has claimed or joined: nobody takes its place any more, unless it was given away just now. */
    synchronized void claimed(Occupant link) {
        if (unclaimed.remove(link)) {
            claimed.add(link);
        }
    }

    /** The link is gone. */
    synchronized void leave(Occupant link) {
        unclaimed.remove(link);
        claimed.remove(link);
    }

    /** How many links could claim or join, those included that are connected and have not. */
    synchronized int free() {
        return Math.max(0, most - claimed.size());
    }
}
