package io.leapnbd.prefetch;

/**
 * One of the streams that a sequence of accesses is mixed from: where it is, its stride, its pace, and how good its proposals were
 * lately. {@link StreamTable} says which access is whose. One thread.
 */
final class Stream {

    /** Steps that it may skip and still be followed. */
    static final int MAX_SKIP = 8;

    /** Accesses in step from which on it counts as settled. */
    private static final int SETTLED = 3;

    private static final int MAX_RUN = 1 << 20;
    private static final int MAX_NEAR = 1 << 20;

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

    /** What one takes. */
    static final long BYTES = 112;

    private final int index;

    private long last;
    private long stride;

    /** Accesses in step with the stride, one after the other. */
    private int run;

    /** Accesses within reach, one after the other. */
    private int near;

    /** Which way it drifts: above zero, upwards. */
    private int drift;

    private int connection;
    private long lastNanos;

    /** Mean time between two accesses that do not come at once, in nanoseconds; 0 if unknown. */
    private long interval;

    /** Where the accesses that came at once with the last one began. */
    private long burstStart;

    /** How many of them there have been. */
    private int atOnce;

    /** How many come at once lately, in sixteenths. */
    private int burst;

    /** Steps that pages must be asked for earlier than the interval alone says, in sixteenths. */
    private int lead;

    /** How many of its proposals came true lately, 0 to 256. */
    private int quality;

    /** Changes when another stream takes this one's place. */
    private int serial;

    /** How many steps beyond its last access it has made proposals for. */
    private int ahead;

    /** The same for pages next to it, in its direction. */
    private int besideAhead;

    Stream(int index) {
        this.index = index;
    }

    /** Its number in the table. */
    int index() {
        return index;
    }

    /** Begins anew with an access that nothing leads to. */
    void begin(long at, long nanos) {
        last = at;
        stride = 1;
        run = 0;
        near = 0;
        drift = 1;
        interval = 0;
        burst = 1 << BURST_SHIFT;
        quality = HALF;
        lead = 0;
        place(nanos);
    }

    /** Begins anew with an access that is near another stream, and out of step with it: it may go on as that one does. */
    void beginBeside(Stream other, long at, long nanos) {
        last = at;
        stride = other.stride;
        run = 1;
        near = other.near / 2;
        drift = other.driftTo(at);
        interval = other.interval;
        burst = other.burst;
        quality = other.quality;
        lead = other.lead;
        place(nanos);
    }

    private void place(long nanos) {
        burstStart = last;
        lastNanos = nanos;
        atOnce = 1;
        ahead = 0;
        besideAhead = 0;
        serial++;
    }

    /** Goes on by some steps of its stride. */
    void follow(int steps, long at, long nanos) {
        run = steps == 1 ? Math.min(run + 1, MAX_RUN) : Math.max(1, run / 2);
        ahead = Math.max(0, ahead - steps);
        move(at, nanos);
    }

    /** Goes to an access that is out of step, and takes the way there for its stride. */
    void turn(long at, long nanos) {
        stride = at - last;
        run = 1;
        ahead = 0;
        move(at, nanos);
    }

    private void move(long at, long nanos) {
        long d = at - last;
        int before = direction();
        long passed = nanos - lastNanos;
        if (passed <= 0) {
            atOnce++;
            burst = Math.max(burst, Math.min(atOnce, MAX_BURST) << BURST_SHIFT);
        } else {
            burst += ((Math.min(atOnce, MAX_BURST) << BURST_SHIFT) - burst) >> BURST_DECAY;
            atOnce = 1;
            drift = driftTo(at);
            burstStart = at;
            interval = interval == 0 ? passed : interval + ((passed - interval) >> 3);
            lastNanos = nanos;
        }
        boolean onwards = direction() == before && (d > 0) == (before > 0);
        besideAhead = onwards ? (int) Math.max(0, besideAhead - Math.abs(d)) : 0;
        near = Math.min(near + 1, MAX_NEAR);
        last = at;
    }

    /** Its drift when it goes to {@code at}: accesses that come at once have one direction together. */
    private int driftTo(long at) {
        return Math.clamp(drift + (at > burstStart ? 1 : -1), -MAX_DRIFT, MAX_DRIFT);
    }

    /** Where its last access was. */
    long last() {
        return last;
    }

    long stride() {
        return stride;
    }

    /** Where it goes next, if it is moving. */
    long next() {
        return last + stride;
    }

    int run() {
        return run;
    }

    /** Whether its stride is known. */
    boolean isMoving() {
        return run > 0;
    }

    /** Whether it has been in step for some time. */
    boolean isSettled() {
        return run >= SETTLED;
    }

    int near() {
        return near;
    }

    /** 1 or -1. */
    int direction() {
        return drift >= 0 ? 1 : -1;
    }

    /** The connection that its last access came by. */
    int connection() {
        return connection;
    }

    void connection(int client) {
        connection = client;
    }

    /**
     * How far proposals have been made.
     *
     * @param mode {@link Circumstances#ALONG}: steps of the stride; {@link Circumstances#BESIDE}: places in its direction
     */
    int ahead(int mode) {
        return mode == Circumstances.ALONG ? ahead : besideAhead;
    }

    void ahead(int mode, int steps) {
        if (mode == Circumstances.ALONG) {
            ahead = steps;
        } else {
            besideAhead = steps;
        }
    }

    /** How many accesses come at once, at least 1. */
    int burst() {
        return (burst + (1 << BURST_SHIFT) - 1) >> BURST_SHIFT;
    }

    /** Nanoseconds between two accesses that do not come at once; 0 if unknown. */
    long interval() {
        return interval;
    }

    /** Steps that its pages must be asked for earlier than its interval says. */
    int lead() {
        return lead >> LEAD_SHIFT;
    }

    /** 0 to 256. */
    int quality() {
        return quality;
    }

    int serial() {
        return serial;
    }

    /** One of its proposals came true, or did not. */
    void judge(boolean right) {
        quality += ((right ? 256 : 0) - quality) >> QUALITY_SHIFT;
    }

    /**
     * A proposal's page was demanded. If that was before it can have arrived, its pages are asked for earlier from now on; if
     * long after, a little later.
     *
     * @param age nanoseconds since it was asked for
     * @param fetchNanos what a fetch takes
     */
    void timed(long age, long fetchNanos) {
        int change = age < fetchNanos ? LATE : age > EARLY_FETCHES * fetchNanos ? -1 : 0;
        lead = Math.clamp(lead + change, 0, MAX_LEAD << LEAD_SHIFT);
    }
}
