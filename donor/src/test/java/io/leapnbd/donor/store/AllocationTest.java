package io.leapnbd.donor.store;

import static io.leapnbd.donor.Pages.PAGE;
import static org.assertj.core.api.Assertions.assertThat;

import com.sun.management.ThreadMXBean;
import io.leapnbd.donor.Pages;
import io.leapnbd.donor.protocol.Status;
import io.netty.buffer.ByteBuf;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import org.junit.jupiter.api.Test;

class AllocationTest {

    private static final int REQUESTS = 20_000;

    @Test
    void readsWritesAndTrimsAllocateNothing() throws IOException {
        try (SlabStore store = SlabStore.open(Settings.slabs(1))) {
            Lent slab = Lent.grant(store, "a", 1, 0);
            ByteBuf buf = Pages.untracked(2 * PAGE);
            ThreadMXBean threads = (ThreadMXBean) ManagementFactory.getThreadMXBean();
            long allocated = Long.MAX_VALUE;
            // The first rounds load classes and compile.
            for (int round = 0; round < 5; round++) {
                long before = threads.getCurrentThreadAllocatedBytes();
                for (int i = 0; i < REQUESTS; i++) {
                    long version = slab.version(round * REQUESTS + i);
                    int offset = i % 200 * PAGE + 100;
                    byte status = store.write(slab.claim(), slab.handle(), offset, 2 * PAGE - 50, version, buf, 7);
                    status |= store.read(slab.claim(), slab.handle(), offset, 2 * PAGE - 50, buf, 7);
                    status |= store.trim(slab.claim(), slab.handle(), offset, PAGE, version);
                    if (status != Status.OK) {
                        throw new AssertionError(Status.name(status));
                    }
                }
                allocated = Math.min(allocated, threads.getCurrentThreadAllocatedBytes() - before);
            }
            assertThat(allocated).isLessThan(REQUESTS);
        }
    }
}
