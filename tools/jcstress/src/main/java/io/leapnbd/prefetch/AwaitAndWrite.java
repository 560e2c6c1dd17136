package io.leapnbd.prefetch;

import static org.openjdk.jcstress.annotations.Expect.ACCEPTABLE;
import static org.openjdk.jcstress.annotations.Expect.FORBIDDEN;

import org.openjdk.jcstress.annotations.Actor;
import org.openjdk.jcstress.annotations.Arbiter;
import org.openjdk.jcstress.annotations.JCStressTest;
import org.openjdk.jcstress.annotations.Outcome;
import org.openjdk.jcstress.annotations.State;
import org.openjdk.jcstress.infra.results.II_Result;

/** A fetch of old bytes lands while its page is written, and the writer reads what it has written. */
@JCStressTest
@Outcome(id = "1, -1", expect = ACCEPTABLE, desc = "The read is sent to the donor, which has the write.")
@Outcome(id = "1, 0", expect = FORBIDDEN, desc = "The read got what was there before the write.")
@Outcome(id = "0, .*", expect = FORBIDDEN, desc = "Nobody ever told the read: a request that does not end.")
@Outcome(id = "2, .*", expect = FORBIDDEN, desc = "The read was told twice.")
@State
public class AwaitAndWrite extends CacheUnderStress {

    private final Told told = new Told(this);
    private final int slot = cache.claim(PAGE);

    /** The fetch lands, with the bytes from before. */
    @Actor
    public void lands() {
        slotBytes = 0;
        cache.publish(slot, 0);
    }

    /** A write, and a read after it. */
    @Actor
    public void client() {
        write();
        readOrAwait(told);
    }

    /** What became of the read. */
    @Arbiter
    public void later(II_Result r) {
        r.r1 = told.times();
        r.r2 = told.bytes();
    }
}
