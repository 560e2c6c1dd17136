package io.leapnbd.donor.loop;

/**
 * How event loops are run.
 *
 * @param count how many, 1..1024
 * @param busyPoll whether a loop that has nothing to do looks for something all the time instead of sleeping in the kernel: what
 *     arrives is served some microseconds sooner, and each loop takes a whole processor
 * @param pinned whether each loop stays on one processor of those that the process may run on, one after the other, beginning again
 *     after the last
 * @param first which of those processors, by its place among them, the first loop is pinned to; 0 or more
 */
public record LoopSettings(int count, boolean busyPoll, boolean pinned, int first) {

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
        return new LoopSettings(count, false, false, 0);
    }

    /** One a processor. */
    public static LoopSettings perProcessor() {
        return of(Math.min(Runtime.getRuntime().availableProcessors(), MAX_LOOPS));
    }

    /** The first of these by itself. */
    public LoopSettings one() {
        return new LoopSettings(1, busyPoll, pinned, first);
    }

    /** One loop beside these, which runs as they do, on the processor after theirs. */
    public LoopSettings oneMore() {
        return new LoopSettings(1, busyPoll, pinned, first + count);
    }
}
