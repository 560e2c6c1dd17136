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

    @Override
    public String toString() {
        return starts + " starts (" + refused + " refused, " + killedInStart + " killed, " + conflicts
                + " in conflict; " + blank + " blank, "
                + fromFile + " by file, " + fromLists + " by lists), " + fenced + " fenced, " + admitted
                + " new processes admitted, " + heldBack + " held back, " + right + " right pages, " + lostSeen
                + " errors";
    }
}
