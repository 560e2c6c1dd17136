package io.leapnbd.bypass.path;

/**
 * What one loop may ask of donors beyond what its clients ask: one read for each {@value #ONE_IN} that clients have asked for, and of what was not used no more than
 * {@value #MOST} are kept. It begins with nothing, so that never more than one in {@value #ONE_IN} is asked for in addition. For the loop's thread.
 */
final class ReadBudget {

    /** The reciprocal of 5 %. */
    static final int ONE_IN = 20;

    /** Kept for a time when many reads are slow at once. */
    static final int MOST = 64;

    private final int price;
    private int credit;

    /**
     * With nothing.
     *
     * @param oneIn {@link #ONE_IN}; less in a test that wants more
     */
    ReadBudget(int oneIn) {
        price = oneIn;
    }

    /** A client has asked for a read that could be asked of another donor too. */
    void earn() {
        if (credit < price * MOST) {
            credit++;
        }
    }

    /** Whether there is one to take. */
    boolean any() {
        return credit >= price;
    }

    /** Takes one more read out, if there is one. */
    boolean take() {
        if (!any()) {
            return false;
        }
        credit -= price;
        return true;
    }
}
