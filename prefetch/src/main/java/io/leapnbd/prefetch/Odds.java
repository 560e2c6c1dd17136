package io.leapnbd.prefetch;

/**
 * How likely pages proposed under some circumstances are to be demanded, learned from what became of earlier ones. The
 * circumstances are counted in a fine grid and a coarse one; while the fine one has seen little, the coarse one speaks, and
 * before that a guess.
 */
final class Odds {

    /** How much the coarse grid's odds weigh against what the fine one has seen, in proposals. */
    private static final float COARSE_WEIGHT = 6;

    /** The same of the guess against the coarse grid. */
    private static final float GUESS_WEIGHT = 3;

    private final float[] fineRight;
    private final float[] fineAll;
    private final float[] coarseRight;
    private final float[] coarseAll;
    private final int finePerCoarse;
    private final float memory;

    /**
     * Nothing learned yet.
     *
     * @param finePerCoarse fine circumstances are numbered so that those of one coarse cell lie together
     * @param memory what is remembered of each, in proposals: older ones fade
     */
    Odds(int coarse, int finePerCoarse, float memory) {
        this.memory = memory;
        this.finePerCoarse = finePerCoarse;
        coarseRight = new float[coarse];
        coarseAll = new float[coarse];
        fineRight = new float[coarse * finePerCoarse];
        fineAll = new float[coarse * finePerCoarse];
    }

    /** Bytes that one takes. */
    static long bytes(int coarse, int finePerCoarse) {
        return 8L * coarse * (1 + finePerCoarse) + 128;
    }

    /** The odds, 0 to 1. */
    float of(int fine, float guess) {
        int coarse = fine / finePerCoarse;
        float broad = (coarseRight[coarse] + GUESS_WEIGHT * guess) / (coarseAll[coarse] + GUESS_WEIGHT);
        return (fineRight[fine] + COARSE_WEIGHT * broad) / (fineAll[fine] + COARSE_WEIGHT);
    }

    /** A page is proposed. It counts as wrong until it is right: what is wrong is known much later than what is right. */
    void propose(int fine) {
        int coarse = fine / finePerCoarse;
        count(coarseRight, coarseAll, coarse);
        count(fineRight, fineAll, fine);
    }

    /** A page that was proposed has been demanded. */
    void cameTrue(int fine) {
        coarseRight[fine / finePerCoarse]++;
        fineRight[fine]++;
    }

    private void count(float[] right, float[] all, int at) {
        if (all[at] >= memory) {
            all[at] -= all[at] / memory;
            right[at] -= right[at] / memory;
        }
        all[at]++;
    }
}
