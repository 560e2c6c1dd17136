package io.leapnbd.prefetch;

/**
 * Tells the {@linkplain Stream streams} apart that one sequence of accesses is mixed from, by what continues what. What the
 * positions are, pages or places in a log, is the caller's.
 *
 * <p>An access belongs to the stream whose stride leads to it, in one step or a few; else to the nearest one within reach; else
 * it begins a stream in place of the one that was quiet longest, first among those that never got going. One that does not
 * follow a settled stream's stride begins another beside it, so that a stray access does not unsettle it.
 */
final class StreamTable {

    private static final int STREAM_BITS = 6;

    /** Streams at once; the price of a look-up is linear in it. */
    static final int STREAMS = 1 << STREAM_BITS;

    /** Accesses after which a settled stream that is quiet is no better than a new one. */
    private static final long QUIET = 1 << 13;

    private static final int EXPECTATION_BITS = 9;

    /** What one takes. */
    static final long BYTES = STREAMS * (Stream.BYTES + 36) + (1 << EXPECTATION_BITS) + 512;

    private static final int NONE = -1;

    private final int reach;
    private final Stream[] streams = new Stream[STREAMS];

    // What searches look at of all streams, side by side: tight loops over plain arrays.

    /** Where each stream is. */
    private final long[] last = new long[STREAMS];

    /** The most that an access may be away from there to belong to the stream in any way. */
    private final long[] span = new long[STREAMS];

    /** When it was last accessed, later if it is settled; in the low bits, which stream that is. */
    private final long[] quiet = new long[STREAMS];

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
        for (int i = 0; i < STREAMS; i++) {
            streams[i] = new Stream(i);
        }
    }

    /**
     * Whether accesses that come at once continue a stream if they are taken downwards.
     *
     * @param low the lowest of them
     * @param high the highest
     */
    boolean downwards(long low, long high) {
        int up = expecting(low);
        if (up >= 0 && streams[up].stride() > 0) {
            return false;
        }
        int down = expecting(high);
        if (down >= 0 && streams[down].stride() < 0) {
            return true;
        }
        long nearest = reach + 1L;
        boolean downwards = false;
        for (int i = 0; i < used; i++) {
            boolean drifts = streams[i].direction() < 0;
            long distance = Math.abs((drifts ? high : low) - last[i]);
            if (distance < nearest) {
                nearest = distance;
                downwards = drifts;
            }
        }
        return downwards;
    }

    /** Finds or begins the stream of an access, and moves it there. */
    Stream access(long at, int client, long tick, long nanos) {
        int expecting = expecting(at);
        Stream stream;
        if (expecting >= 0) {
            stream = streams[expecting];
            stream.follow(1, at, nanos);
        } else {
            stream = search(at, client, nanos);
        }
        stream.connection(client);
        int index = stream.index();
        last[index] = at;
        span[index] = Math.max(reach, Math.abs(stream.stride()) * Stream.MAX_SKIP);
        quiet[index] = (tick + (stream.isSettled() ? QUIET : 0)) << STREAM_BITS | index;
        expectations[slot(stream.next())] = (byte) index;
        return stream;
    }

    /** The stream whose next step this is, without a search; -1 if none is known. */
    private int expecting(long at) {
        int index = expectations[slot(at)];
        Stream stream = streams[index];
        return stream.isMoving() && stream.next() == at ? index : NONE;
    }

    private static int slot(long at) {
        return (int) ((at * 0x9e3779b97f4a7c15L) >>> (64 - EXPECTATION_BITS));
    }

    private Stream search(long at, int client, long nanos) {
        int inStep = NONE;
        long fewestSteps = Stream.MAX_SKIP + 1;
        int nearest = NONE;
        long distance = reach + 1L;
        int found = within(at);
        for (int j = 0; j < found; j++) {
            int i = within[j];
            Stream stream = streams[i];
            long d = at - last[i];
            long absolute = Math.abs(d);
            long stride = stream.stride();
            long step = Math.abs(stride);
            if (absolute >= step && absolute <= step * Stream.MAX_SKIP && (d ^ stride) >= 0 && stream.isMoving()) {
                // In floating point, because a division of integers takes several times as long.
                long steps = (long) ((double) absolute / step);
                if (steps * step == absolute && better(i, steps, inStep, fewestSteps)) {
                    inStep = i;
                    fewestSteps = steps;
                }
            }
            if (absolute < distance || (absolute == distance && stream.connection() == client)) {
                distance = absolute;
                nearest = i;
            }
        }
        if (distance > reach) {
            nearest = NONE;
        }
        if (nearest >= 0 && at == last[nearest]) {
            return streams[nearest];
        }
        if (inStep >= 0) {
            streams[inStep].follow((int) fewestSteps, at, nanos);
            return streams[inStep];
        }
        if (nearest >= 0 && !streams[nearest].isSettled()) {
            streams[nearest].turn(at, nanos);
            return streams[nearest];
        }
        Stream stream = streams[used < STREAMS ? used++ : quietest()];
        if (nearest >= 0) {
            stream.beginBeside(streams[nearest], at, nanos);
        } else {
            stream.begin(at, nanos);
        }
        return stream;
    }

    /** Notes the streams that an access may belong to in {@link #within}, and returns how many. */
    private int within(long at) {
        int found = 0;
        for (int i = 0; i < used; i++) {
            if (Math.abs(at - last[i]) <= span[i]) {
                within[found++] = i;
            }
        }
        return found;
    }

    private boolean better(int stream, long steps, int than, long thanSteps) {
        return steps < thanSteps || (steps == thanSteps && streams[stream].run() > streams[than].run());
    }

    private int quietest() {
        long quietest = Long.MAX_VALUE;
        for (int i = 0; i < STREAMS; i++) {
            quietest = Math.min(quietest, quiet[i]);
        }
        return (int) quietest & (STREAMS - 1);
    }
}
