package io.leapnbd.prefetch.push;

/**
 * Pushes for up to {@link #STREAMS} streams of faults at once.
 *
 * <p>A fault belongs to the stream that its page was pushed for; else to one whose stride leads to it in a few steps; else it may be
 * the third of a new stream ({@link StrideFinder}). A stream is pushed for when one of its faults has waited for the device.
 *
 * <p><b>Lead.</b> What is to be touched in the time of two reads, and two batches: {@code 2 × latency / interval + 2 × batch} pages, 16 to
 * 256, at most twice as many as faults were in step. A batch goes out when a quarter of the lead, or a whole batch, is missing. The interval is
 * that between faults, so it shrinks when they begin to hit, and the lead grows until they all do.
 *
 * <p><b>Waste.</b> A stream that was not followed by more than {@code 32 + hits} of its pages is given up. Each stream that ends with more
 * waste than hits doubles the faults in step that a new one needs, to 16; each that hits 32 times halves them, down to 2. This is what
 * leaves random accesses alone.
 */
final class StreamPushPolicy implements PushPolicy {

    static final int STREAMS = 32;
    static final int LEAST_LEAD = 16;
    static final int MOST_LEAD = 256;

    /** Steps that the server is told ahead of a stream that has hit: this many times its lead, and at most so many. */
    private static final int TOLD_LEADS = 4;

    static final int MOST_TOLD = 1024;

    /** Places that are looked at in one go to find the next pages that are swapped out. */
    static final int LONGEST_LOOK = 512;

    /** Steps beyond its last fault in which a stream's next page is sought. */
    private static final long FARTHEST_LOOK = 2048;

    private static final int LEAST_NEEDED = 2;
    private static final int MOST_NEEDED = 16;
    private static final int GOOD = 32;

    private static final int INDEX_BITS = 5;
    private static final int NUMBER_BITS = 28;
    private static final int SERIAL_BITS = 30;

    private final TargetMemory memory;
    private final PushStream[] streams = new PushStream[STREAMS];
    private final StrideFinder finder = new StrideFinder();
    private final long[] found = new long[LONGEST_LOOK];

    /** Faults in step that a new stream needs before it is pushed for. */
    private int needed = LEAST_NEEDED;

    /** The stream of the last fault, which is probably the next one's too. */
    private int recent;

    /** Where {@link #next} begins to look, so that no stream keeps another from its turn. */
    private int turn;

    private int batchStream;

    private boolean untold;
    private int dropped;

    StreamPushPolicy(TargetMemory memory) {
        this.memory = memory;
        for (int i = 0; i < STREAMS; i++) {
            streams[i] = new PushStream();
        }
    }

    @Override
    public void fault(long page, long ticket, long nanos) {
        if (ticket != NO_TICKET) {
            int index = index(ticket);
            PushStream stream = streams[index];
            if (stream.isActive() && (stream.serial() & mask(SERIAL_BITS)) == serial(ticket)) {
                stream.hit(number(ticket), page, nanos);
                if (stream.hits() % GOOD == 0) {
                    needed = Math.max(LEAST_NEEDED, needed / 2);
                }
                recent = index;
                judge(stream);
                return;
            }
        }
        int steps = Integer.MIN_VALUE;
        int best = -1;
        for (int i = 0; i < STREAMS; i++) {
            int index = (recent + i) & (STREAMS - 1);
            PushStream stream = streams[index];
            int reached = stream.isActive() ? stream.stepsTo(page) : Integer.MIN_VALUE;
            if (reached == 1) {
                steps = 1;
                best = index;
                break;
            }
            if (reached != Integer.MIN_VALUE && (best < 0 || closer(reached, steps))) {
                steps = reached;
                best = index;
            }
        }
        if (best >= 0) {
            recent = best;
            streams[best].follow(steps, page, nanos);
            judge(streams[best]);
            return;
        }
        long stride = finder.add(page);
        if (stride != 0) {
            int victim = victim();
            retire(streams[victim]);
            streams[victim].begin(page, stride, nanos, finder.sawMajor());
            recent = victim;
        }
    }

    private static boolean closer(int steps, int than) {
        return steps > 0 == than > 0 ? Math.abs(steps) < Math.abs(than) : steps > 0;
    }

    private void judge(PushStream stream) {
        if (stream.isWasteful()) {
            needed = Math.min(MOST_NEEDED, needed * 2);
            dropped++;
            stream.end();
        }
    }

    private void retire(PushStream stream) {
        if (stream.isActive() && stream.ahead() > stream.hits()) {
            needed = Math.min(MOST_NEEDED, needed * 2);
        }
    }

    private int victim() {
        int victim = 0;
        for (int i = 0; i < STREAMS; i++) {
            if (!streams[i].isActive()) {
                return i;
            }
            if (streams[i].lastNanos() < streams[victim].lastNanos()) {
                victim = i;
            }
        }
        return victim;
    }

    @Override
    public void major(long page) {
        finder.major(page);
        for (PushStream stream : streams) {
            if (stream.isActive() && stream.last() == page) {
                stream.swapping();
            }
        }
    }

    @Override
    public int next(long[] pages, int most, int batch, long latencyNanos) {
        for (int i = 0; i < STREAMS; i++) {
            int index = (turn + i) & (STREAMS - 1);
            PushStream stream = streams[index];
            if (wants(stream)) {
                int lead = stream.lead(batch, latencyNanos);
                int missing = lead - stream.ahead();
                if (missing >= step(lead, batch)) {
                    int count = look(stream, pages, Math.min(Math.min(missing, most), batch));
                    if (count > 0) {
                        batchStream = index;
                        untold = (stream.front() - stream.told()) / stream.stride() > 0;
                        if (untold) {
                            stream.told(stream.front());
                        }
                        turn = index + 1;
                        return count;
                    }
                }
            }
        }
        return 0;
    }

    @Override
    public boolean untold() {
        return untold;
    }

    /** A stream that has hit often is trusted with more of the server's memory than of the process's. */
    @Override
    public int ahead(long[] pages, int batch, long latencyNanos) {
        for (int i = 0; i < STREAMS; i++) {
            PushStream stream = streams[(turn + i) & (STREAMS - 1)];
            if (stream.hits() >= GOOD && wants(stream)) {
                int far = Math.min(MOST_TOLD, TOLD_LEADS * stream.lead(batch, latencyNanos));
                long missing = far - (stream.told() - stream.last()) / stream.stride();
                if (missing >= Math.min(far / 4, TargetMemory.MOST_AT_ONCE)) {
                    int steps = (int) Math.min(missing, TargetMemory.MOST_AT_ONCE);
                    int count = memory.swapped(stream.told() + stream.stride(), stream.stride(), steps, found);
                    stream.told(stream.told() + steps * stream.stride());
                    if (count > 0) {
                        System.arraycopy(found, 0, pages, 0, count);
                        return count;
                    }
                }
            }
        }
        return 0;
    }

    private boolean wants(PushStream stream) {
        return stream.isActive() && stream.isSwapping() && stream.confidence() >= needed;
    }

    private static int step(int lead, int batch) {
        return Math.clamp(lead / 4, 1, batch);
    }

    /** Finds the next pages of a stream that are swapped out, and moves its front behind them. */
    private int look(PushStream stream, long[] pages, int most) {
        long stride = stream.stride();
        int taken = 0;
        int length = most;
        while (taken < most) {
            long from = stream.front() + stride;
            long left = FARTHEST_LOOK - (stream.front() - stream.last()) / stride;
            if (left <= 0) {
                break;
            }
            length = (int) Math.min(length, left);
            int swapped = memory.swapped(from, stride, length, found);
            int copied = Math.min(swapped, most - taken);
            System.arraycopy(found, 0, pages, taken, copied);
            taken += copied;
            stream.front(copied < swapped ? found[copied - 1] : from + (length - 1) * stride);
            length = LONGEST_LOOK;
        }
        return taken;
    }

    @Override
    public long ticket(int index) {
        PushStream stream = streams[batchStream];
        long number = (stream.nextNumber() + index) & mask(NUMBER_BITS);
        return (stream.serial() & mask(SERIAL_BITS)) << (INDEX_BITS + NUMBER_BITS) | number << INDEX_BITS | batchStream;
    }

    @Override
    public void taken(int count, int asked) {
        PushStream stream = streams[batchStream];
        stream.pushed(count);
        if (count < asked || stream.nextNumber() >= mask(NUMBER_BITS - 1)) {
            stream.end();
        }
    }

    @Override
    public void unused(long ticket) {
        // A stream's waste is what it passed over; what it never came to shows when another takes its place.
    }

    @Override
    public long patience(int batch, long latencyNanos) {
        long patience = Long.MAX_VALUE;
        for (PushStream stream : streams) {
            if (wants(stream) && stream.ahead() > 0) {
                int lead = stream.lead(batch, latencyNanos);
                long spare = Math.max(0, stream.ahead() - (lead - step(lead, batch)));
                patience = Math.min(patience, spare * stream.interval());
            }
        }
        return patience;
    }

    @Override
    public void forget() {
        finder.forget();
        for (PushStream stream : streams) {
            stream.end();
        }
        needed = LEAST_NEEDED;
    }

    @Override
    public int streams() {
        int count = 0;
        for (PushStream stream : streams) {
            if (wants(stream)) {
                count++;
            }
        }
        return count;
    }

    @Override
    public long trend() {
        PushStream stream = streams[batchStream];
        return stream.stride();
    }

    @Override
    public int lead() {
        PushStream stream = streams[batchStream];
        return stream.isActive() ? stream.ahead() : 0;
    }

    /** Streams that were given up for their waste. */
    int dropped() {
        return dropped;
    }

    private static long mask(int bits) {
        return (1L << bits) - 1;
    }

    private static int index(long ticket) {
        return (int) (ticket & mask(INDEX_BITS));
    }

    private static int number(long ticket) {
        return (int) (ticket >>> INDEX_BITS & mask(NUMBER_BITS));
    }

    private static long serial(long ticket) {
        return ticket >>> (INDEX_BITS + NUMBER_BITS) & mask(SERIAL_BITS);
    }
}
