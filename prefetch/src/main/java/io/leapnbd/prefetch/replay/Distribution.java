package io.leapnbd.prefetch.replay;

import java.util.Arrays;

/** Values, of which percentiles and the mean are wanted in the end. For one thread. */
public final class Distribution {

    private static final int STEPS = 10_000;

    private long[] values = new long[1024];
    private int size;
    private double sum;
    private boolean sorted;
    private boolean sealed;

    Distribution() {}

    void add(long value) {
        if (size == values.length) {
            values = Arrays.copyOf(values, size + (size >> 1));
        }
        values[size++] = value;
        sum += value;
        sorted = false;
    }

    /** How many values there are. */
    public int size() {
        return size;
    }

    /** The mean; NaN without values. */
    public double mean() {
        return size == 0 ? Double.NaN : sum / size;
    }

    /**
     * The smallest value that at least {@code percent} of all values do not exceed; NaN without values.
     *
     * @param percent above 0, at most 100; of a sealed distribution, to two decimals
     */
    public double percentile(double percent) {
        if (size == 0) {
            return Double.NaN;
        }
        if (sealed) {
            return values[Math.clamp(Math.round(percent * STEPS / 100) - 1, 0, STEPS - 1)];
        }
        sort();
        return values[rank(percent / 100)];
    }

    /** Nothing more is added: keeps, of many values, those that percentiles of two decimals name. */
    void seal() {
        if (size > STEPS) {
            sort();
            long[] steps = new long[STEPS];
            for (int i = 0; i < STEPS; i++) {
                steps[i] = values[rank((double) (i + 1) / STEPS)];
            }
            values = steps;
            sealed = true;
        }
    }

    private int rank(double share) {
        return Math.clamp((long) Math.ceil(size * share) - 1, 0, size - 1);
    }

    private void sort() {
        if (!sorted) {
            Arrays.sort(values, 0, size);
            sorted = true;
        }
    }
}
