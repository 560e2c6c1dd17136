package io.leapnbd.donor.net;

import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.LongAdder;

/** What a listener has seen since its start. Counted by any thread. */
final class ServerCounters {

    final AtomicInteger open = new AtomicInteger();
    final LongAdder accepted = new LongAdder();
    final LongAdder turnedAway = new LongAdder();
    final LongAdder badRequests = new LongAdder();
    final LongAdder timeouts = new LongAdder();
    final LongAdder fencedOff = new LongAdder();
    final LongAdder evicted = new LongAdder();
    final LongAdder pauses = new LongAdder();
}
