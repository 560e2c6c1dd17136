package io.leapnbd.bypass.path;

import static org.openjdk.jcstress.annotations.Expect.ACCEPTABLE;
import static org.openjdk.jcstress.annotations.Expect.FORBIDDEN;

import io.leapnbd.bypass.link.WriteWatch;
import org.openjdk.jcstress.annotations.Actor;
import org.openjdk.jcstress.annotations.JCStressTest;
import org.openjdk.jcstress.annotations.Outcome;
import org.openjdk.jcstress.annotations.State;
import org.openjdk.jcstress.infra.results.II_Result;

/** One loop has an RDMA device read a page, which knows of no locks, while another writes it. */
@JCStressTest
@Outcome(id = "-1, -1", expect = ACCEPTABLE, desc = "A write was in the way: the donor is asked by message.")
@Outcome(
        id = {"0, 0", "1, 1"},
        expect = ACCEPTABLE,
        desc = "The page before the write, or after it.")
@Outcome(id = ".*", expect = FORBIDDEN, desc = "A torn page counts as read.")
@State
public class DeviceReadAndWrite {

    private static final int PAGE = 4096;

    private final WriteOrder order = new WriteOrder();

    // The two halves of the page.
    private volatile int head;
    private volatile int tail;

    /** The write: counted, its version noted, then done by the donor. */
    @Actor
    public void write() {
        order.begin(0, PAGE);
        order.began(0, PAGE, 1);
        head = 1;
        tail = 1;
        order.end(0, PAGE);
    }

    /** The read; a device may read the end first. */
    @Actor
    public void read(II_Result r) {
        long stamp = order.stamp(0, PAGE);
        r.r1 = -1;
        r.r2 = -1;
        if (stamp == WriteWatch.BUSY) {
            return;
        }
        int second = tail;
        int first = head;
        if (order.undisturbed(0, PAGE, stamp)) {
            r.r1 = first;
            r.r2 = second;
        }
    }
}
