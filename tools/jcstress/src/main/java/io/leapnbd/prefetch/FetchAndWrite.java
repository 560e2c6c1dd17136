package io.leapnbd.prefetch;

import static org.openjdk.jcstress.annotations.Expect.ACCEPTABLE;
import static org.openjdk.jcstress.annotations.Expect.FORBIDDEN;

import org.openjdk.jcstress.annotations.Actor;
import org.openjdk.jcstress.annotations.Arbiter;
import org.openjdk.jcstress.annotations.JCStressTest;
import org.openjdk.jcstress.annotations.Outcome;
import org.openjdk.jcstress.annotations.State;
import org.openjdk.jcstress.infra.results.II_Result;

/** A page is fetched while it is written: invariants 1 and 3. */
@JCStressTest
@Outcome(id = "-1, -1", expect = ACCEPTABLE, desc = "The write turned the fetch away, or what it brought.")
@Outcome(id = "-1, 1", expect = ACCEPTABLE, desc = "The fetch was claimed after the write, and ended after the read.")
@Outcome(id = "1, -1", expect = ACCEPTABLE, desc = "The fetch came after the write, and the read consumed it.")
@Outcome(id = "0, .*", expect = FORBIDDEN, desc = "A read after the write was acknowledged got what was there before.")
@Outcome(id = ".*, 0", expect = FORBIDDEN, desc = "What was there before the write stayed in the cache.")
@State
public class FetchAndWrite extends CacheUnderStress {

    /** The prefetch. */
    @Actor
    public void prefetch() {
        fetch(PAGE);
    }

    /** The client, which reads what it has written. */
    @Actor
    public void client(II_Result r) {
        write();
        r.r1 = read();
    }

    /** A read long after. */
    @Arbiter
    public void later(II_Result r) {
        r.r2 = read();
    }
}
