package io.leapnbd.prefetch.replay;

import java.util.Arrays;

/** Values, of which percentiles and the mean are wanted in the end. For one thread. */
public final class Distribution {

    private long[] values = new long[1024];
    private int size;
    private double sum;
    private boolean sorted;

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
     * @param percent above 0, at most 100
     */
    public double percentile(double percent) {
        if (size == 0) {
            return Double.NaN;
        }
        if (!sorted) {
            Arrays.sort(values, 0, size);
            sorted = true;
        }
        return values[Math.clamp((long) Math.ceil(size * percent / 100) - 1, 0, size - 1)];
    }
}
