package io.leapnbd.prefetch;

import static org.openjdk.jcstress.annotations.Expect.ACCEPTABLE;
import static org.openjdk.jcstress.annotations.Expect.FORBIDDEN;

import org.openjdk.jcstress.annotations.Actor;
import org.openjdk.jcstress.annotations.Arbiter;
import org.openjdk.jcstress.annotations.JCStressTest;
import org.openjdk.jcstress.annotations.Outcome;
import org.openjdk.jcstress.annotations.State;
import org.openjdk.jcstress.infra.results.II_Result;

/** A fetch lands while a demand comes for its page: the demand is answered once, and never forgotten. */
@JCStressTest
@Outcome(id = "1, 0", expect = ACCEPTABLE, desc = "It waited and was served, or came when the page was there.")
@Outcome(id = "1, -1", expect = FORBIDDEN, desc = "It was sent to the donor although the fetch succeeded.")
@Outcome(id = "0, .*", expect = FORBIDDEN, desc = "Nobody ever told it: a request that does not end.")
@Outcome(id = "2, .*", expect = FORBIDDEN, desc = "It was told twice.")
@State
public class AwaitAndPublish extends CacheUnderStress {

    private final Told told = new Told(this);
    private final int slot = cache.claim(PAGE);

    /** The fetch lands. */
    @Actor
    public void lands() {
        slotBytes = 0;
        cache.publish(slot, 0);
    }

    /** A demand. */
    @Actor
    public void demand() {
        readOrAwait(told);
    }

    /** What became of it. */
    @Arbiter
    public void later(II_Result r) {
        r.r1 = told.times();
        r.r2 = told.bytes();
    }
}
