package io.leapnbd.prefetch.replay;

import java.util.BitSet;

/**
 * Which pages of the device have ever been written, as far as a trace tells. The server does not fetch blank pages, so a
 * policy that names one wastes nothing.
 *
 * <p>In a trace with writes, a page is blank until its first write and after a trim, unless its first request is a read:
 * then it was there before the trace began. In a trace of reads only nothing is known to be blank.
 */
final class KnownPages {

    private final boolean all;
    private final BitSet written = new BitSet();

    KnownPages(Trace trace) {
        all = !trace.hasWrites() || trace.devicePages() > Integer.MAX_VALUE;
        if (all) {
            return;
        }
        BitSet seen = new BitSet();
        for (int i = 0; i < trace.size(); i++) {
            int from = (int) trace.firstPage(i);
            int to = from + trace.pages(i);
            if (trace.operation(i) == Trace.Operation.READ) {
                for (int page = seen.nextClearBit(from); page < to; page = seen.nextClearBit(page + 1)) {
                    written.set(page);
                }
            }
            seen.set(from, to);
        }
    }

    boolean holds(long page) {
        return all || written.get((int) page);
    }

    void write(long firstPage, int pages) {
        if (!all) {
            written.set((int) firstPage, (int) firstPage + pages);
        }
    }

    void trim(long firstPage, int pages) {
        if (!all) {
            written.clear((int) firstPage, (int) firstPage + pages);
        }
    }
}
