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

    /** What is remembered, in proposals: older ones fade. */
    private static final float MEMORY = 96;

    /** What a proposal weighs before it is known what became of it. */
    private static final float PENDING_WEIGHT = 0.25f;

    private final float[] fineRight;
    private final float[] fineAll;
    private final float[] coarseRight;
    private final float[] coarseAll;
    private final int finePerCoarse;

    /** Fine circumstances are numbered so that those of one coarse cell lie together. */
    Odds(int coarse, int finePerCoarse) {
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

    /** A page is proposed. Until it is known what became of it, it counts as a quarter of a failure. */
    void propose(int fine) {
        coarseAll[fine / finePerCoarse] += PENDING_WEIGHT;
        fineAll[fine] += PENDING_WEIGHT;
    }

    /** A page that was proposed has been demanded, or has not. */
    void judge(int fine, boolean right) {
        int coarse = fine / finePerCoarse;
        learn(coarseRight, coarseAll, coarse, right);
        learn(fineRight, fineAll, fine, right);
    }

    private static void learn(float[] right, float[] all, int at, boolean wasRight) {
        float keep = all[at] >= MEMORY ? 1 - 1 / MEMORY : 1;
        all[at] = all[at] * keep + 1 - PENDING_WEIGHT;
        right[at] = right[at] * keep + (wasRight ? 1 : 0);
    }
}
