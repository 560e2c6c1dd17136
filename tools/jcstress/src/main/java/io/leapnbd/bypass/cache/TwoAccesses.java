package io.leapnbd.bypass.cache;

import static org.openjdk.jcstress.annotations.Expect.ACCEPTABLE;
import static org.openjdk.jcstress.annotations.Expect.FORBIDDEN;

import org.openjdk.jcstress.annotations.Actor;
import org.openjdk.jcstress.annotations.Arbiter;
import org.openjdk.jcstress.annotations.JCStressTest;
import org.openjdk.jcstress.annotations.Outcome;
import org.openjdk.jcstress.annotations.State;
import org.openjdk.jcstress.infra.results.II_Result;

/** Two loops tell of an access each, and one of them takes what is there meanwhile. */
@JCStressTest
@Outcome(id = "(0|111|222|333), 333", expect = ACCEPTABLE, desc = "Each arrives once, and whole.")
@Outcome(id = ".*", expect = FORBIDDEN, desc = "An access is lost, doubled or torn.")
@State
public class TwoAccesses {

    private final AccessQueue queue = new AccessQueue(2);
    private final AccessQueue.Access access = new AccessQueue.Access();

    /** A loop. */
    @Actor
    public void first() {
        queue.offer(AccessQueue.READ, 1, 1, 0, false, 1);
    }

    /** Another loop, which is the one that decides. */
    @Actor
    public void second(II_Result r) {
        int before = take();
        queue.offer(AccessQueue.READ, 2, 2, 0, false, 2);
        r.r1 = before + take();
    }

    /** The next that decides takes the rest. */
    @Arbiter
    public void later(II_Result r) {
        r.r2 = r.r1 + take() + take();
        if (!queue.isEmpty()) {
            r.r2 = -1;
        }
    }

    private int take() {
        return queue.poll(access) ? (int) (access.page() * 100 + access.pages() * 10L + access.nanos()) : 0;
    }
}
