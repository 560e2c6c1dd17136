package io.leapnbd.donor.store;

import io.leapnbd.donor.protocol.Status;
import java.util.concurrent.atomic.LongAdder;

/** What a store has done since it was opened. Counted by any thread without waiting for another. */
final class StoreCounters {

    final LongAdder hellos = new LongAdder();
    final LongAdder grants = new LongAdder();
    final LongAdder frees = new LongAdder();
    final LongAdder lists = new LongAdder();
    final LongAdder reads = new LongAdder();
    final LongAdder writes = new LongAdder();
    final LongAdder trims = new LongAdder();
    final LongAdder bytesRead = new LongAdder();
    final LongAdder bytesWritten = new LongAdder();
    final LongAdder bytesTrimmed = new LongAdder();

    /** Requests that did not end with OK, FENCED ones included. */
    final LongAdder refused = new LongAdder();

    final LongAdder fenced = new LongAdder();

    /** Grants that were refused as their owner holds what it may. */
    final LongAdder overLimit = new LongAdder();

    /** Pages of writes and trims that were left alone, being newer. */
    final LongAdder stalePages = new LongAdder();

    final LongAdder leasesExpired = new LongAdder();

    /** Counts how a request ended, and answers that. */
    byte ended(byte status) {
        if (status != Status.OK) {
            refused.increment();
            if (status == Status.FENCED) {
                fenced.increment();
            }
        }
        return status;
    }
}
