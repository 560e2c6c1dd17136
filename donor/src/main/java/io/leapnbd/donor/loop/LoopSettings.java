package io.leapnbd.donor.loop;

/**
 * How event loops are run.
 *
 * @param count how many, 1..1024
 * @param busyPoll whether a loop that has nothing to do looks for something all the time instead of sleeping in the kernel: what
 *     arrives is served some microseconds sooner, and each loop takes a whole processor
 * @param pinned whether each loop stays on one processor: the first on the first of those that the process may run on, and so on,
 *     beginning again if there are more loops
 */
public record LoopSettings(int count, boolean busyPoll, boolean pinned) {

    private static final int MAX_LOOPS = 1024;

    /**
     * Checks the number.
     *
     * @throws IllegalArgumentException with one sentence that says what is wrong
     */
    public LoopSettings {
        if (count < 1 || count > MAX_LOOPS) {
            throw new IllegalArgumentException("a number of event loops of " + count + " is not in 1.." + MAX_LOOPS);
        }
    }

    /** Loops that sleep, on whatever processor the kernel gives them. */
    public static LoopSettings of(int count) {
        return new LoopSettings(count, false, false);
    }

    /** One a processor. */
    public static LoopSettings perProcessor() {
        return of(Math.min(Runtime.getRuntime().availableProcessors(), MAX_LOOPS));
    }

    /** These, with another number of loops. */
    public LoopSettings withCount(int other) {
        return new LoopSettings(other, busyPoll, pinned);
    }
}
