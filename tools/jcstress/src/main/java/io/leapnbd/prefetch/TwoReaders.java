package io.leapnbd.prefetch;

import static org.openjdk.jcstress.annotations.Expect.ACCEPTABLE;
import static org.openjdk.jcstress.annotations.Expect.FORBIDDEN;

import org.openjdk.jcstress.annotations.Actor;
import org.openjdk.jcstress.annotations.Arbiter;
import org.openjdk.jcstress.annotations.JCStressTest;
import org.openjdk.jcstress.annotations.Outcome;
import org.openjdk.jcstress.annotations.State;
import org.openjdk.jcstress.infra.results.III_Result;

/** Two loops consume one page, and one of them wants its slot for another; in the end nothing is left in use. */
@JCStressTest
@Outcome(id = "0, 0, [01]", expect = ACCEPTABLE, desc = "Both had it pinned at a time.")
@Outcome(id = "0, -1, [01]", expect = ACCEPTABLE, desc = "The first took it away from the second.")
@Outcome(id = "-1, 0, 1", expect = ACCEPTABLE, desc = "The second took it away from the first, and had the slot again.")
@Outcome(id = ".*", expect = FORBIDDEN, desc = "Another page's bytes, or a slot that is lost.")
@State
public class TwoReaders extends CacheUnderStress {

    /** With the page at hand. */
    public TwoReaders() {
        fetch(PAGE);
    }

    /** A demand. */
    @Actor
    public void first(III_Result r) {
        r.r1 = read();
    }

    /** Another one, and then a prefetch of another page into the only slot. */
    @Actor
    public void second(III_Result r) {
        r.r2 = read();
        fetch(OTHER_PAGE);
    }

    /** The slot holds the other page or nothing, and can be had again. */
    @Arbiter
    public void later(III_Result r) {
        int used = cache.figures().slotsInUse();
        int found = cache.lookup(OTHER_PAGE);
        if (found >= 0) {
            cache.consume(found);
        }
        boolean whole = used == (found >= 0 ? 1 : 0) && cache.isEmpty() && cache.claim(PAGE) >= 0;
        r.r3 = whole ? used : NOTHING;
    }
}
