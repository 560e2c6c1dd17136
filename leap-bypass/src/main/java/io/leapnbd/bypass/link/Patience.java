package io.leapnbd.bypass.link;

import java.util.concurrent.TimeUnit;

/**
 * When a request that is past its deadline shows that its connection is broken. One that was sent shortly before its deadline shows
 * little: it waits on for a while, and costs the others of a healthy link nothing.
 *
 * @param silentNanos for so long it has to have been on its way if nothing was heard since it was sent
 * @param answeringNanos likewise, if others were answered meanwhile; it ends so long after its deadline at most
 */
record Patience(long silentNanos, long answeringNanos) {

    private static final long MOST_SILENT_NANOS = TimeUnit.SECONDS.toNanos(1);

    /** For requests that may take so long. */
    static Patience of(long requestTimeoutNanos) {
        long quarter = requestTimeoutNanos / 4;
        return new Patience(Math.min(MOST_SILENT_NANOS, quarter), quarter);
    }

    /**
     * Whether it shows that.
     *
     * @param heardNanos when anything was heard on its connection last
     */
    boolean isOver(LinkRequest request, long now, long heardNanos) {
        if (now - request.deadlineNanos < 0) {
            return false;
        }
        long onItsWay = now - request.sentNanos;
        boolean silent = heardNanos - request.sentNanos <= 0;
        return onItsWay >= (silent ? silentNanos : answeringNanos);
    }
}
