package io.leapnbd.bypass.path;

import static org.openjdk.jcstress.annotations.Expect.ACCEPTABLE;
import static org.openjdk.jcstress.annotations.Expect.FORBIDDEN;

import java.util.concurrent.atomic.AtomicInteger;
import org.openjdk.jcstress.annotations.Actor;
import org.openjdk.jcstress.annotations.JCStressTest;
import org.openjdk.jcstress.annotations.Outcome;
import org.openjdk.jcstress.annotations.State;
import org.openjdk.jcstress.infra.results.II_Result;

/** Two loops write parts of one page, which must not be under way at the same time. */
@JCStressTest
@Outcome(id = "1, 1", expect = ACCEPTABLE, desc = "One after the other.")
@Outcome(
        id = {"1, 0", "0, 1"},
        expect = ACCEPTABLE,
        desc = "One was under way, and the other is tried again later.")
@Outcome(id = "0, 0", expect = FORBIDDEN, desc = "Both were turned away, by nobody.")
@Outcome(id = ".*", expect = FORBIDDEN, desc = "Both were under way: the donor drops the older one.")
@State
public class PartialWrites {

    private static final int PART = 512;

    private final WriteOrder order = new WriteOrder();
    private final AtomicInteger underWay = new AtomicInteger();

    /** The first half of the page. */
    @Actor
    public void first(II_Result r) {
        r.r1 = write(0);
    }

    /** The second half. */
    @Actor
    public void second(II_Result r) {
        r.r2 = write(2048);
    }

    /** How many were under way with this one; 0 if it was turned away. */
    private int write(long offset) {
        if (!order.begin(offset, PART)) {
            return 0;
        }
        int together = underWay.incrementAndGet();
        underWay.decrementAndGet();
        order.end(offset, PART);
        return together;
    }
}
