package io.leapnbd.bypass.path;

import java.util.concurrent.atomic.AtomicLong;

/** What was asked of donors for reads beyond what clients asked for; of one loop, which writes. Any thread reads. */
final class HedgeFigures {

    private final AtomicLong sent = new AtomicLong();
    private final AtomicLong won = new AtomicLong();
    private final AtomicLong withheld = new AtomicLong();
    private final AtomicLong probes = new AtomicLong();

    void countSent() {
        long _ = sent.incrementAndGet();
    }

    void countWon() {
        long _ = won.incrementAndGet();
    }

    void countWithheld() {
        long _ = withheld.incrementAndGet();
    }

    void countProbe() {
        long _ = probes.incrementAndGet();
    }

    HedgeCounts counts() {
        return new HedgeCounts(sent.get(), won.get(), withheld.get(), probes.get());
    }
}
