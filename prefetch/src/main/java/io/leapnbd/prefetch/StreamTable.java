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

    private static final int STREAM_BITS = 6;

    /** Streams at once; the price of a look-up is linear in it. */
    static final int STREAMS = 1 << STREAM_BITS;

    /** Steps that a stream may skip and still be followed. */
    private static final int MAX_SKIP = 8;

    /** Accesses in step from which on a stream counts as settled. */
    private static final int SETTLED = 3;

    private static final int MAX_RUN = 1 << 20;
    private static final int MAX_NEAR = 1 << 20;

    /** Accesses after which a settled stream that is quiet is no better than a new one. */
    private static final long QUIET = 1 << 13;

    private static final int QUALITY_SHIFT = 3;
    private static final int MAX_DRIFT = 4;

    // The accesses at once, in sixteenths; they grow at once and shrink slowly, because too few are dearer than too
    // many.
    private static final int BURST_SHIFT = 4;
    private static final int BURST_DECAY = 2;
    private static final int MAX_BURST = 16;

    // The lead, in sixteenths of a step.
    private static final int LEAD_SHIFT = 4;
    private static final int LATE = 4;
    private static final int MAX_LEAD = 24;
    private static final int EARLY_FETCHES = 4;

    /** What a new stream's proposals are taken to be worth. */
    private static final int HALF = 128;

    private static final int EXPECTATION_BITS = 9;

    /** What one takes. */
    static final long BYTES = STREAMS * 96L + (1 << EXPECTATION_BITS) + 512;

    private final int reach;

    private final long[] last = new long[STREAMS];
    private final long[] stride = new long[STREAMS];

    /** The most that an access may be away to belong to the stream in any way: what a search looks at first. */
    private final long[] span = new long[STREAMS];

    /** Accesses in step with the stride, one after the other. */
    private final int[] run = new int[STREAMS];

    /** Accesses within reach, one after the other. */
    private final int[] near = new int[STREAMS];

    /** Which way the stream drifts: above zero, upwards. */
    private final int[] drift = new int[STREAMS];

    private final int[] connection = new int[STREAMS];

    /** When it was last accessed, later if it is settled, and which stream that is, in the low bits. */
    private final long[] quiet = new long[STREAMS];

    private final long[] lastNanos = new long[STREAMS];

    /** Mean time between two accesses that do not come at once, in nanoseconds; 0 if unknown. */
    private final long[] interval = new long[STREAMS];

    /** Where the accesses that came at once with the last one began. */
    private final long[] burstStart = new long[STREAMS];

    /** How many of them there have been. */
    private final int[] atOnce = new int[STREAMS];

    /** How many come at once lately, in sixteenths. */
    private final int[] burst = new int[STREAMS];

    /** Steps that pages must be asked for earlier than the interval alone says, in sixteenths. */
    private final int[] lead = new int[STREAMS];

    /** How many of its proposals came true lately, 0 to 256. */
    private final int[] quality = new int[STREAMS];

    /** Changes when another stream takes the place. */
    private final int[] serial = new int[STREAMS];

    /** How many steps beyond its last access a stream has made proposals for. */
    private final int[] ahead = new int[STREAMS];

    /** The same for pages next to it, in its direction. */
    private final int[] besideAhead = new int[STREAMS];

    /** Which stream expects a position next, by a hash of the position; a hint. */
    private final byte[] expectations = new byte[1 << EXPECTATION_BITS];

    private final int[] within = new int[STREAMS];

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
     * Whether accesses that come at once continue a stream if they are taken downwards.
     *
     * @param low the lowest of them
     * @param high the highest
     */
    boolean downwards(long low, long high) {
        int up = expecting(low);
        if (up >= 0 && stride[up] > 0) {
            return false;
        }
        int down = expecting(high);
        if (down >= 0 && stride[down] < 0) {
            return true;
        }
        long nearest = reach + 1L;
        boolean downwards = false;
        for (int i = 0; i < used; i++) {
            boolean drifts = direction(i) < 0;
            long distance = Math.abs((drifts ? high : low) - last[i]);
            if (distance < nearest) {
                nearest = distance;
                downwards = drifts;
            }
        }
        return downwards;
    }

    /**
     * Finds or begins the stream of an access, and moves it there.
     *
     * @return the stream's index
     */
    int access(long at, int client, long tick, long nanos) {
        int stream = expecting(at);
        if (stream >= 0) {
            follow(stream, 1, at, nanos);
        } else {
            stream = search(at, client, nanos);
        }
        connection[stream] = client;
        quiet[stream] = (tick + (run[stream] >= SETTLED ? QUIET : 0)) << STREAM_BITS | stream;
        expectations[slot(last[stream] + stride[stream])] = (byte) stream;
        return stream;
    }

    /** The stream whose next step this is, without a search; -1 if none is known. */
    private int expecting(long at) {
        int stream = expectations[slot(at)];
        return run[stream] > 0 && last[stream] + stride[stream] == at ? stream : -1;
    }

    private static int slot(long at) {
        return (int) ((at * 0x9e3779b97f4a7c15L) >>> (64 - EXPECTATION_BITS));
    }

    private int search(long at, int client, long nanos) {
        int inStep = -1;
        long fewestSteps = MAX_SKIP + 1;
        int nearest = -1;
        long distance = reach + 1L;
        int found = within(at);
        for (int j = 0; j < found; j++) {
            int i = within[j];
            long d = at - last[i];
            long absolute = Math.abs(d);
            long step = Math.abs(stride[i]);
            if (absolute >= step && absolute <= step * MAX_SKIP && (d ^ stride[i]) >= 0 && run[i] > 0) {
                // In floating point, because a division of integers takes several times as long.
                long steps = (long) ((double) absolute / step);
                if (steps * step == absolute && better(i, steps, inStep, fewestSteps)) {
                    inStep = i;
                    fewestSteps = steps;
                }
            }
            if (absolute < distance || (absolute == distance && connection[i] == client)) {
                distance = absolute;
                nearest = i;
            }
        }
        if (distance > reach) {
            nearest = -1;
        }
        if (nearest >= 0 && at == last[nearest]) {
            return nearest;
        }
        if (inStep >= 0) {
            follow(inStep, (int) fewestSteps, at, nanos);
            return inStep;
        }
        if (nearest >= 0 && run[nearest] < SETTLED) {
            stride(nearest, at - last[nearest]);
            run[nearest] = 1;
            ahead[nearest] = 0;
            move(nearest, at, nanos);
            return nearest;
        }
        return begin(at, nearest, nanos);
    }

    /** Notes the streams that an access may belong to in {@link #within}, and returns how many: a tight loop, for the compiler. */
    private int within(long at) {
        int found = 0;
        for (int i = 0; i < used; i++) {
            if (Math.abs(at - last[i]) <= span[i]) {
                within[found++] = i;
            }
        }
        return found;
    }

    private void follow(int stream, int steps, long at, long nanos) {
        run[stream] = steps == 1 ? Math.min(run[stream] + 1, MAX_RUN) : Math.max(1, run[stream] / 2);
        ahead[stream] = Math.max(0, ahead[stream] - steps);
        move(stream, at, nanos);
    }

    private boolean better(int stream, long steps, int than, long thanSteps) {
        return steps < thanSteps || (steps == thanSteps && run[stream] > run[than]);
    }

    private void move(int stream, long at, long nanos) {
        long d = at - last[stream];
        int before = direction(stream);
        long passed = nanos - lastNanos[stream];
        if (passed <= 0) {
            atOnce[stream]++;
            burst[stream] = Math.max(burst[stream], Math.min(atOnce[stream], MAX_BURST) << BURST_SHIFT);
        } else {
            burst[stream] += ((Math.min(atOnce[stream], MAX_BURST) << BURST_SHIFT) - burst[stream]) >> BURST_DECAY;
            atOnce[stream] = 1;
            drift[stream] = drift(stream, at);
            burstStart[stream] = at;
            interval[stream] = interval[stream] == 0 ? passed : interval[stream] + ((passed - interval[stream]) >> 3);
            lastNanos[stream] = nanos;
        }
        boolean onwards = direction(stream) == before && (d > 0) == (before > 0);
        besideAhead[stream] = onwards ? (int) Math.max(0, besideAhead[stream] - Math.abs(d)) : 0;
        near[stream] = Math.min(near[stream] + 1, MAX_NEAR);
        last[stream] = at;
    }

    /** A stream's drift when it goes to {@code at}: accesses that come at once have one direction together. */
    private int drift(int stream, long at) {
        return Math.clamp(drift[stream] + (at > burstStart[stream] ? 1 : -1), -MAX_DRIFT, MAX_DRIFT);
    }

    private int begin(long at, int beside, long nanos) {
        int stream = used < STREAMS ? used++ : quietest();
        last[stream] = at;
        stride(stream, beside < 0 ? 1 : stride[beside]);
        run[stream] = beside < 0 ? 0 : 1;
        near[stream] = beside < 0 ? 0 : near[beside] / 2;
        drift[stream] = beside < 0 ? 1 : drift(beside, at);
        burstStart[stream] = at;
        interval[stream] = beside < 0 ? 0 : interval[beside];
        lastNanos[stream] = nanos;
        atOnce[stream] = 1;
        burst[stream] = beside < 0 ? 1 << BURST_SHIFT : burst[beside];
        quality[stream] = beside < 0 ? HALF : quality[beside];
        lead[stream] = beside < 0 ? 0 : lead[beside];
        ahead[stream] = 0;
        besideAhead[stream] = 0;
        serial[stream]++;
        return stream;
    }

    private void stride(int stream, long pages) {
        stride[stream] = pages;
        span[stream] = Math.max(reach, Math.abs(pages) * MAX_SKIP);
    }

    private int quietest() {
        long quietest = Long.MAX_VALUE;
        for (int i = 0; i < STREAMS; i++) {
            quietest = Math.min(quietest, quiet[i]);
        }
        return (int) quietest & (STREAMS - 1);
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

    /** Whether the stream has been in step for some time. */
    boolean isSettled(int stream) {
        return run[stream] >= SETTLED;
    }

    int near(int stream) {
        return near[stream];
    }

    /** 1 or -1. */
    int direction(int stream) {
        return drift[stream] >= 0 ? 1 : -1;
    }

    /**
     * How far proposals have been made.
     *
     * @param mode {@link Circumstances#ALONG}: steps of the stride; {@link Circumstances#BESIDE}: places in its direction
     */
    int ahead(int stream, int mode) {
        return mode == Circumstances.ALONG ? ahead[stream] : besideAhead[stream];
    }

    void ahead(int stream, int mode, int steps) {
        if (mode == Circumstances.ALONG) {
            ahead[stream] = steps;
        } else {
            besideAhead[stream] = steps;
        }
    }

    /** How many accesses come at once, at least 1. */
    int burst(int stream) {
        return (burst[stream] + (1 << BURST_SHIFT) - 1) >> BURST_SHIFT;
    }

    /** Nanoseconds between two accesses that do not come at once; 0 if unknown. */
    long interval(int stream) {
        return interval[stream];
    }

    /**
     * A proposal's page was demanded. If that was before it can have arrived, the stream's pages are asked for earlier from
     * now on; if long after, a little later.
     *
     * @param age nanoseconds since it was asked for
     * @param fetchNanos what a fetch takes
     */
    void timed(int stream, int streamSerial, long age, long fetchNanos) {
        if (serial[stream] == streamSerial) {
            int change = age < fetchNanos ? LATE : age > EARLY_FETCHES * fetchNanos ? -1 : 0;
            lead[stream] = Math.clamp(lead[stream] + change, 0, MAX_LEAD << LEAD_SHIFT);
        }
    }

    /** Steps that a stream's pages must be asked for earlier than its interval says. */
    int lead(int stream) {
        return lead[stream] >> LEAD_SHIFT;
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
