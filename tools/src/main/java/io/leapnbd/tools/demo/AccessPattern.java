package io.leapnbd.tools.demo;

import java.util.Random;

/** An order in which a program may touch its pages; each touches every page once. */
enum AccessPattern {
    SEQUENTIAL("sequential"),
    STRIDE("stride 10"),
    RANDOM("random");

    private static final int STEP = 10;

    private final String label;

    AccessPattern(String label) {
        this.label = label;
    }

    /** For people. */
    String label() {
        return label;
    }

    /** The numbers 0 to {@code pages - 1} in this order. */
    int[] order(int pages, long seed) {
        int[] order = new int[pages];
        int next = 0;
        int step = this == STRIDE ? STEP : 1;
        for (int first = 0; first < step; first++) {
            for (int page = first; page < pages; page += step) {
                order[next++] = page;
            }
        }
        if (this == RANDOM) {
            Random random = new Random(seed);
            for (int i = pages - 1; i > 0; i--) {
                int j = random.nextInt(i + 1);
                int swapped = order[i];
                order[i] = order[j];
                order[j] = swapped;
            }
        }
        return order;
    }
}
