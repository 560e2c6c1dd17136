package io.leapnbd.bypass.takeover;

/** What the histories came by. */
final class Tally {

    int starts;
    int refused;
    int blank;
    int fromFile;
    int fromLists;
    int killedInStart;
    int conflicts;
    int fenced;
    int admitted;
    int heldBack;
    long right;
    long lostSeen;

    /** Reads that failed as no donor of the page answered in time. */
    long away;

    long wrong;

    /** Pages and slabs that were called lost without need. */
    long needless;

    long lostSlabs;
    long acknowledged;
    long failed;
    /** Starts that fail as two processes are waited for at one address. */
    int ambiguous;

    /** Donors that were added to a running server. */
    int added;

    /** Donors that were removed from one. */
    int removed;

    /** Of these, those that were given up with their pages. */
    int givenUp;

    /** Exports that donors have forgotten for that. */
    int released;

    long drops;
    long filled;
    long moved;
    long givenBack;
    long hedged;
    long hedgesWon;

    @Override
    public String toString() {
        return starts + " starts (" + refused + " refused, " + killedInStart + " killed, " + conflicts
                + " in conflict; " + blank + " blank, "
                + fromFile + " by file, " + fromLists + " by lists), " + fenced + " fenced, " + admitted
                + " new processes admitted, " + heldBack + " held back, " + right + " right pages, " + lostSeen
                + " errors of lost pages, " + away + " of donors that did not answer, " + needless
                + " needless losses, " + wrong
                + " wrong pages; " + acknowledged + " changes acknowledged, " + failed + " not; " + drops
                + " copies left out, "
                + filled + " filled, " + moved + " moved, " + givenBack + " slabs given back, " + hedged
                + " reads hedged, " + hedgesWon + " of them answered by the second copy first, " + lostSlabs
                + " slabs lost, " + added + " donors added, " + removed + " removed, " + givenUp + " given up, "
                + released + " exports released, " + ambiguous + " ambiguous starts";
    }
}
