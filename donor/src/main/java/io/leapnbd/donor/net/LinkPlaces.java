package io.leapnbd.donor.net;

import java.util.HashMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * Who may be connected. Links that have claimed nothing do not keep a server out: when all places are taken, one of them makes room. It is of
 * the owner that has most of them, and of those the one that was silent longest: so a flood of connections pushes out its own. Of the links that
 * have claimed, one owner has all places but one in {@value #OTHERS}; the last ones are for others. Any thread.
 */
final class LinkPlaces {

    /** One place in so many is for owners that have not taken the others. */
    private static final int OTHERS = 16;

    /** A link, as far as its place is concerned. Any thread. */
    interface Occupant {

        /** Who it is of, as far as that is known. The link's loop. */
        String owner();

        /** When it was last heard, by {@link System#nanoTime}. */
        long lastHeard();

        /** Has to end; its place was given away. Must not block. */
        void evicted();
    }

    private final int most;

    /** Each with its owner as it is counted. */
    private final Map<Occupant, String> unclaimed = new HashMap<>();

    private final Map<Occupant, String> claimed = new HashMap<>();
    private final Map<String, Integer> claimedOf = new HashMap<>();

    LinkPlaces(int most) {
        this.most = most;
    }

    /** Gives a link that has connected a place; false if all are taken by links that have claimed. */
    boolean enter(Occupant link) {
        Occupant gone = null;
        synchronized (this) {
            if (unclaimed.size() + claimed.size() >= most) {
                gone = leastWanted();
                if (gone == null) {
                    return false;
                }
                unclaimed.remove(gone);
            }
            unclaimed.put(link, link.owner());
        }
        if (gone != null) {
            gone.evicted();
        }
        return true;
    }

    private @Nullable Occupant leastWanted() {
        Map<String, Integer> counts = new HashMap<>();
        int largest = 0;
        for (String owner : unclaimed.values()) {
            largest = Math.max(largest, counts.merge(owner, 1, Integer::sum));
        }
        Occupant longest = null;
        for (Map.Entry<Occupant, String> entry : unclaimed.entrySet()) {
            Occupant link = entry.getKey();
            if (counts.getOrDefault(entry.getValue(), 0) == largest
                    && (longest == null || link.lastHeard() - longest.lastHeard() < 0)) {
                longest = link;
            }
        }
        return longest;
    }

    /** The link has claimed or joined: nobody takes its place any more, unless it was given away just now. */
    synchronized void claimed(Occupant link) {
        if (unclaimed.remove(link) != null) {
            String owner = link.owner();
            claimed.put(link, owner);
            claimedOf.merge(owner, 1, Integer::sum);
        }
    }

    /** The link is gone. */
    synchronized void leave(Occupant link) {
        unclaimed.remove(link);
        String owner = claimed.remove(link);
        if (owner != null) {
            claimedOf.computeIfPresent(owner, (_, count) -> count == 1 ? null : count - 1);
        }
    }

    /** How many links of an owner could claim or join, those included that are connected and have not. */
    synchronized int free(String owner) {
        int its = claimedOf.getOrDefault(owner, 0);
        return Math.max(0, Math.min(most - claimed.size(), most - most / OTHERS - its));
    }
}
