package io.leapnbd.prefetch;

import static org.openjdk.jcstress.annotations.Expect.ACCEPTABLE;
import static org.openjdk.jcstress.annotations.Expect.FORBIDDEN;

import org.openjdk.jcstress.annotations.Actor;
import org.openjdk.jcstress.annotations.JCStressTest;
import org.openjdk.jcstress.annotations.Outcome;
import org.openjdk.jcstress.annotations.State;
import org.openjdk.jcstress.infra.results.I_Result;

/** A slot is read while its page is written and another page wants the slot. */
@JCStressTest
@Outcome(id = "0", expect = ACCEPTABLE, desc = "The read had the slot pinned before the write began.")
@Outcome(id = "-1", expect = ACCEPTABLE, desc = "The write or the other page came first.")
@Outcome(id = "9", expect = FORBIDDEN, desc = "The read got another page's bytes.")
@State
public class ReadAndReuse extends CacheUnderStress {

    /** With the page at hand. */
    public ReadAndReuse() {
        fetch(PAGE);
    }

    /** A demand. */
    @Actor
    public void reader(I_Result r) {
        r.r1 = read();
    }

    /** A write that empties the slot, and a fetch that fills it. */
    @Actor
    public void writer() {
        write();
        fetch(OTHER_PAGE);
    }
}
