package io.leapnbd.bypass;

import io.leapnbd.bypass.latency.Operation;

/**
 * One trim, write of zeroes or cache request on its way through a large range. Its parts are made a few at a time, and no more
 * than {@link #MOST_PARTS} are under way: a request of 28 bytes must neither fill the heap nor keep the loop for itself. Belongs to
 * its {@link DeviceLoop}.
 */
final class RangeWalk {

    /** Parts of one request that donors have at once. */
    static final int MOST_PARTS = 16;

    /** Parts of one step, those that end at once included. */
    private static final int PARTS_A_STEP = 32;

    /** Pages that one step of a cache request looks at. */
    static final int PAGES_A_STEP = 2048;

    private final DeviceLoop loop;
    private final ClientRequest request;
    private final boolean allocate;
    private final long end;
    private final long deadlineNanos;
    private long at;

    /** Whether it is in the queue of {@link RangeWalks}; that is for the queue to say. */
    boolean queued;

    /**
     * A walk that has not begun.
     *
     * @param request begun, and not yet split
     * @param allocate whether zeroes must have memory afterwards
     */
    RangeWalk(DeviceLoop loop, ClientRequest request, long offset, long end, boolean allocate) {
        this.loop = loop;
        this.request = request;
        this.at = offset;
        this.end = end;
        this.allocate = allocate;
        this.deadlineNanos = loop.deadline(request.startNanos);
    }

    /** A part has ended, so that there may be room for another one. */
    void partEnded() {
        loop.walks().add(this);
    }

    /** Goes on for a bit. */
    void step() {
        if (request.operation == Operation.PREFETCH) {
            cacheSome();
        } else {
            zeroSome();
        }
    }

    private void zeroSome() {
        request.walk = null;
        // Each part has the whole time for itself, as if the client had asked for it now.
        request.startNanos = System.nanoTime();
        boolean exact = request.operation == Operation.WRITE_ZEROES;
        for (int i = 0; i < PARTS_A_STEP && at < end && mayGoOn(); i++) {
            long partEnd = loop.endOfPart(at, end, loop.slabSize());
            loop.zero(request, at, (int) (partEnd - at), allocate, exact);
            at = partEnd;
        }
        if (at == end || request.hasFailed()) {
            request.endPart();
        } else {
            request.walk = this;
            if (mayGoOn()) {
                loop.walks().add(this);
            }
        }
    }

    private boolean mayGoOn() {
        return request.partsUnderWay() < MOST_PARTS && !request.hasFailed();
    }

    private void cacheSome() {
        long before = at;
        at = loop.cached().prefetch(at, end, PAGES_A_STEP);
        // It is advice, and given up when its time is over.
        if (at == end || System.nanoTime() - deadlineNanos >= 0) {
            request.endPart();
        } else if (at > before) {
            loop.walks().add(this);
        } else {
            loop.walks().addLater(this);
        }
    }
}
