package io.leapnbd.prefetch;

/**
 * Tells the streams apart that one sequence of accesses is mixed from, by what continues what. Each stream has its own
 * position, stride and score. What the positions are, pages or places in a log, is the caller's.
 *
 * <p>An access belongs to the stream whose stride leads to it, in one step or a few; else to the nearest one within reach; else
 * it begins a stream in place of the one that was quiet longest, first among those that never got going. One that does not
 * follow a settled stream's stride begins another beside it, so that a stray access does not unsettle it.
 */
final class StreamTable {

    /** Streams at once; the price of a look-up is linear in it. */
    static final int STREAMS = 64;

    /** Steps that a stream may skip and still be followed. */
    private static final int MAX_SKIP = 8;

    /** Accesses in step from which on a stream counts as settled. */
    private static final int SETTLED = 3;

    private static final int MAX_RUN = 1 << 20;
    private static final int MAX_NEAR = 1 << 20;

    /** Accesses after which a settled stream that is quiet is no better than a new one. */
    private static final long QUIET = 1 << 13;

    private static final int QUALITY_SHIFT = 3;

    private final int reach;

    private final long[] last = new long[STREAMS];
    private final long[] stride = new long[STREAMS];

    /** Accesses in step with the stride, one after the other. */
    private final int[] run = new int[STREAMS];

    /** Accesses within reach, one after the other. */
    private final int[] near = new int[STREAMS];

    /** Which way the stream drifts: above zero, upwards. */
    private final int[] drift = new int[STREAMS];

    private final int[] connection = new int[STREAMS];
    private final long[] lastTick = new long[STREAMS];
    private final long[] lastNanos = new long[STREAMS];

    /** Mean time between two accesses, in nanoseconds; 0 if unknown. */
    private final long[] interval = new long[STREAMS];

    /** How many of its proposals came true lately, 0 to 256. */
    private final int[] quality = new int[STREAMS];

    /** Changes when another stream takes the place. */
    private final int[] serial = new int[STREAMS];

    private int used;

    /**
     * A table without streams.
     *
     * @param reach the most that an access may be away from a stream's last, to belong to it though out of step
     */
    StreamTable(int reach) {
        this.reach = reach;
    }

    /**
     * Finds or begins the stream of an access, and moves it there.
     *
     * @return the stream's index
     */
    int access(long at, int client, long tick, long nanos) {
        int inStep = -1;
        long fewestSteps = MAX_SKIP + 1;
        int nearest = -1;
        long distance = reach + 1L;
        for (int i = 0; i < used; i++) {
            long d = at - last[i];
            long s = stride[i];
            if (run[i] > 0 && (d ^ s) >= 0) {
                long absolute = Math.abs(d);
                long step = Math.abs(s);
                if (absolute <= step * MAX_SKIP && absolute >= step) {
                    long steps = absolute == step ? 1 : absolute / step;
                    if (steps * step == absolute && better(i, steps, inStep, fewestSteps)) {
                        inStep = i;
                        fewestSteps = steps;
                    }
                }
            }
            long away = Math.abs(d) + (connection[i] == client ? 0 : 1);
            if (away < distance) {
                distance = away;
                nearest = i;
            }
        }
        int stream;
        if (nearest >= 0 && at == last[nearest]) {
            stream = nearest;
        } else if (inStep >= 0) {
            stream = inStep;
            run[stream] = fewestSteps == 1 ? Math.min(run[stream] + 1, MAX_RUN) : Math.max(1, run[stream] / 2);
            move(stream, at, nanos);
        } else if (nearest >= 0 && run[nearest] < SETTLED) {
            stream = nearest;
            stride[stream] = at - last[stream];
            run[stream] = 1;
            move(stream, at, nanos);
        } else {
            stream = begin(at, nearest, nanos);
        }
        connection[stream] = client;
        lastTick[stream] = tick;
        return stream;
    }

    private boolean better(int stream, long steps, int than, long thanSteps) {
        return steps < thanSteps || (steps == thanSteps && run[stream] > run[than]);
    }

    private void move(int stream, long at, long nanos) {
        int way = at > last[stream] ? 1 : -1;
        drift[stream] = Math.clamp(drift[stream] + way, -4, 4);
        near[stream] = Math.min(near[stream] + 1, MAX_NEAR);
        long passed = Math.max(0, nanos - lastNanos[stream]);
        interval[stream] = interval[stream] == 0 ? passed : interval[stream] + ((passed - interval[stream]) >> 3);
        lastNanos[stream] = nanos;
        last[stream] = at;
    }

    private int begin(long at, int beside, long nanos) {
        int stream = used < STREAMS ? used++ : quietest();
        last[stream] = at;
        stride[stream] = beside < 0 ? 1 : stride[beside];
        run[stream] = beside < 0 ? 0 : 1;
        near[stream] = beside < 0 ? 0 : near[beside] / 2;
        drift[stream] = beside < 0 ? 1 : drift[beside];
        interval[stream] = beside < 0 ? 0 : interval[beside];
        lastNanos[stream] = nanos;
        quality[stream] = beside < 0 ? 128 : quality[beside];
        serial[stream]++;
        return stream;
    }

    private int quietest() {
        int victim = 0;
        long oldest = Long.MAX_VALUE;
        for (int i = 0; i < STREAMS; i++) {
            long since = lastTick[i] + (run[i] >= SETTLED ? QUIET : 0);
            if (since < oldest) {
                oldest = since;
                victim = i;
            }
        }
        return victim;
    }

    long last(int stream) {
        return last[stream];
    }

    long stride(int stream) {
        return stride[stream];
    }

    int run(int stream) {
        return run[stream];
    }

    int near(int stream) {
        return near[stream];
    }

    /** 1 or -1. */
    int direction(int stream) {
        return drift[stream] >= 0 ? 1 : -1;
    }

    /** Nanoseconds between two accesses; 0 if unknown. */
    long interval(int stream) {
        return interval[stream];
    }

    /** 0 to 256. */
    int quality(int stream) {
        return quality[stream];
    }

    int serial(int stream) {
        return serial[stream];
    }

    /** One of a stream's proposals came true, or did not. Does nothing if the stream has gone. */
    void judge(int stream, int streamSerial, boolean right) {
        if (serial[stream] == streamSerial) {
            quality[stream] += ((right ? 256 : 0) - quality[stream]) >> QUALITY_SHIFT;
        }
    }
}
