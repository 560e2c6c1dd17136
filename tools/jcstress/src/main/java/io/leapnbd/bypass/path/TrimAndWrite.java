package io.leapnbd.bypass.path;

import static org.openjdk.jcstress.annotations.Expect.ACCEPTABLE;
import static org.openjdk.jcstress.annotations.Expect.FORBIDDEN;

import org.openjdk.jcstress.annotations.Actor;
import org.openjdk.jcstress.annotations.Arbiter;
import org.openjdk.jcstress.annotations.JCStressTest;
import org.openjdk.jcstress.annotations.Outcome;
import org.openjdk.jcstress.annotations.State;
import org.openjdk.jcstress.infra.results.I_Result;

/** One loop learns that a donor has trimmed a page, and wants to call it blank, while another writes it anew. */
@JCStressTest
@Outcome(id = "1", expect = ACCEPTABLE, desc = "The page is written, whatever the trim did before.")
@Outcome(
        id = "0",
        expect = FORBIDDEN,
        desc = "A page with an acknowledged write is called blank: it would read as zeros.")
@State
public class TrimAndWrite {

    private static final int PAGE = 4096;
    private static final long TRIMMED = 1;
    private static final long WRITTEN = 2;

    private final WriteOrder order = new WriteOrder();

    /** As the address map has it: 1 written, 0 blank. */
    private volatile int page = 1;

    /** A trim of version 1 begins before anything else. */
    public TrimAndWrite() {
        order.begin(0, PAGE);
        order.began(0, PAGE, TRIMMED);
    }

    /** The trim's reply has come. */
    @Actor
    public void trim() {
        order.end(0, PAGE);
        order.whileNothingIsWritten(0, PAGE, TRIMMED, (offset, length) -> {
            page = 0;
            return true;
        });
    }

    /** A write, as a loop does it: tried again while it is in the way of something. */
    @Actor
    public void write() {
        while (!order.begin(0, PAGE)) {
            Thread.onSpinWait();
        }
        page = 1;
        order.began(0, PAGE, WRITTEN);
        order.end(0, PAGE);
    }

    /** What a read finds later. */
    @Arbiter
    public void later(I_Result r) {
        r.r1 = page;
    }
}
