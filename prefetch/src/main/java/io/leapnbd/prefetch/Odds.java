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

    /** What is left of the best of a cell's part in the odds after one proposal, if nothing as good is seen. */
    private static final float FORGET = 0.99f;

    // Of each cell two numbers beside each other: how many were right, and how many there were.
    private final float[] fine;
    private final float[] coarse;

    /** Of each coarse cell, the most that what one of its fine cells has seen lately can make of the odds. */
    private final float[] best;

    private final int shift;
    private final float memory;
    private final float keep;

    /**
     * Nothing learned yet.
     *
     * @param finePerCoarse fine circumstances are numbered so that those of one coarse cell lie together: a power of two, because
     *     a decision asks some twenty times, and a division takes a processor as long as all the rest of the answer
     * @param memory what is remembered of each, in proposals: older ones fade
     */
    Odds(int coarse, int finePerCoarse, float memory) {
        this.memory = memory;
        keep = 1 - 1 / memory;
        shift = Integer.numberOfTrailingZeros(finePerCoarse);
        this.coarse = new float[2 * coarse];
        best = new float[coarse];
        fine = new float[2 * coarse * finePerCoarse];
    }

    /** Bytes that one takes. */
    static long bytes(int coarse, int finePerCoarse) {
        return 4L * coarse * (3 + 2 * finePerCoarse) + 128;
    }

    /** The odds, 0 to 1. */
    float of(int cell, float guess) {
        int broad = 2 * (cell >> shift);
        float broadRight = coarse[broad] + GUESS_WEIGHT * guess;
        float broadAll = coarse[broad + 1] + GUESS_WEIGHT;
        // (right + COARSE_WEIGHT * broadRight / broadAll) / (all + COARSE_WEIGHT), in one division.
        return (fine[2 * cell] * broadAll + COARSE_WEIGHT * broadRight)
                / ((fine[2 * cell + 1] + COARSE_WEIGHT) * broadAll);
    }

    /** What the odds of a cell and of those that it lies together with are at most, by what these have seen lately. */
    float atMost(int cell, float guess) {
        int broad = cell >> shift;
        return best[broad] + (coarse[2 * broad] + GUESS_WEIGHT * guess) / (coarse[2 * broad + 1] + GUESS_WEIGHT);
    }

    /** A page is proposed. It counts as wrong until it is right: what is wrong is known much later than what is right. */
    void propose(int cell) {
        count(coarse, 2 * (cell >> shift));
        count(fine, 2 * cell);
        best[cell >> shift] = Fading.of(best[cell >> shift] * FORGET);
    }

    /** A page that was proposed has been demanded. */
    void cameTrue(int cell) {
        coarse[2 * (cell >> shift)]++;
        fine[2 * cell]++;
        int broad = cell >> shift;
        best[broad] = Math.max(best[broad], fine[2 * cell] / (fine[2 * cell + 1] + COARSE_WEIGHT));
    }

    private void count(float[] cells, int at) {
        if (cells[at + 1] >= memory) {
            cells[at] = Fading.of(cells[at] * keep);
            cells[at + 1] *= keep;
        }
        cells[at + 1]++;
    }
}
