package io.leapnbd.prefetch;

/**
 * Averages in which what was longer ago counts less. One that is fed nothing but zeros would shrink until it is a denormal number,
 * and with these a processor is a hundred times slower.
 */
final class Fading {

    /** What is less than this is nothing to any figure that it is part of. */
    private static final float NOTHING = 1e-9f;

    private Fading() {}

    /** An average's next value, or 0 when nothing is left of it. */
    static float of(float average) {
        return average < NOTHING ? 0 : average;
    }
}
