package io.leapnbd.prefetch.push;

import java.util.concurrent.atomic.AtomicLongArray;

/** Counters and gauges of one process. One thread writes; any thread reads each for itself. */
public final class PushFigures {

    private static final int COUNTERS = PushFigure.values().length;
    private static final int WAITING = COUNTERS;
    private static final int STREAMS = COUNTERS + 1;
    private static final int LEAD = COUNTERS + 2;
    private static final int TREND = COUNTERS + 3;
    private static final int LATENCY = COUNTERS + 4;

    private final AtomicLongArray values = new AtomicLongArray(COUNTERS + 5);

    PushFigures() {}

    /** A counter. */
    public long get(PushFigure figure) {
        return values.getOpaque(figure.ordinal());
    }

    /** Pushed pages that wait to be touched. */
    public long waiting() {
        return values.getOpaque(WAITING);
    }

    /** Streams that are pushed for. */
    public long streams() {
        return values.getOpaque(STREAMS);
    }

    /** Pages ahead of the stream that was pushed for last. */
    public long lead() {
        return values.getOpaque(LEAD);
    }

    /** Its pages from one fault to the next. */
    public long trend() {
        return values.getOpaque(TREND);
    }

    /** What a read of the device took lately, in nanoseconds. */
    public long latencyNanos() {
        return values.getOpaque(LATENCY);
    }

    /** Pushed pages that were touched, of those of which it is known; NaN of none. */
    public double accuracy() {
        double hits = get(PushFigure.HITS);
        return hits / (hits + get(PushFigure.EVICTED) + get(PushFigure.UNUSED));
    }

    /** Hits, of those faults that would have waited for the device without them; NaN of none. */
    public double coverage() {
        double hits = get(PushFigure.HITS);
        return hits / (hits + get(PushFigure.MAJOR));
    }

    void add(PushFigure figure, long more) {
        int index = figure.ordinal();
        values.setOpaque(index, values.getPlain(index) + more);
    }

    void state(long waiting, long streams, long lead, long trend, long latencyNanos) {
        values.setOpaque(WAITING, waiting);
        values.setOpaque(STREAMS, streams);
        values.setOpaque(LEAD, lead);
        values.setOpaque(TREND, trend);
        values.setOpaque(LATENCY, latencyNanos);
    }

    void reset() {
        for (int i = 0; i < values.length(); i++) {
            values.setOpaque(i, 0);
        }
    }
}
