package io.leapnbd.tools.donor;

import io.leapnbd.donor.protocol.Protocol;
import io.leapnbd.donor.store.SlabStore;
import io.leapnbd.donor.store.StoreStatistics;
import io.leapnbd.tools.cli.Size;
import io.leapnbd.tools.linux.KernelFile;
import io.leapnbd.tools.memory.MachineMemory;
import java.nio.file.Path;
import java.util.OptionalLong;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.ScheduledFuture;
import java.util.concurrent.TimeUnit;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Looks at the machine's memory four times a second, and has a store lend as much as {@link KeepFree} says. */
final class MemoryWatch implements AutoCloseable {

    /** What the kernel tells of memory. */
    static final Path MEMINFO = Path.of("/proc/meminfo");

    private static final Logger log = LoggerFactory.getLogger(MemoryWatch.class);

    private static final long LOOK_MILLIS = 250;

    private final SlabStore store;
    private final long keep;
    private final Path meminfo;
    private final KeepFree rule;
    private final ScheduledExecutorService thread = Executors.newSingleThreadScheduledExecutor(
            Thread.ofPlatform().name("memory-watch").daemon().factory());

    @SuppressWarnings("UnusedVariable") // So that nobody takes it for forgotten.
    private final ScheduledFuture<?> looks;

    private volatile boolean tight;
    private boolean blindTold;

    /**
     * Begins, with one look before it returns.
     *
     * @param keep bytes that are to be available to other programs
     * @param meminfo {@link #MEMINFO}, or a file like it
     */
    MemoryWatch(SlabStore store, long keep, Path meminfo) {
        this.store = store;
        this.keep = keep;
        this.meminfo = meminfo;
        long words = (long) store.slabSize() / Protocol.PAGE_SIZE * Long.BYTES;
        rule = new KeepFree(keep, store.slabSize() + words);
        look();
        looks = thread.scheduleWithFixedDelay(this::look, LOOK_MILLIS, LOOK_MILLIS, TimeUnit.MILLISECONDS);
    }

    /** Bytes that are to be available to other programs. */
    long keep() {
        return keep;
    }

    /** Whether there is less than that, or was and there is not clearly more since. */
    boolean tight() {
        return tight;
    }

    private void look() {
        try {
            OptionalLong available =
                    KernelFile.read(meminfo).map(MachineMemory::available).orElse(OptionalLong.empty());
            if (available.isEmpty()) {
                if (!blindTold) {
                    blindTold = true;
                    log.warn(
                            "--keep-free: {} does not tell what is available; what may be lent stays as it is",
                            meminfo);
                }
                return;
            }
            StoreStatistics now = store.statistics();
            store.lendAtMost(rule.limit(available.getAsLong(), now.residentBytes(), now.lentSlabs()));
            if (rule.tight() != tight) {
                tight = rule.tight();
                tell(available.getAsLong());
            }
        } catch (RuntimeException e) {
            log.error("a look at the machine's memory has failed by a defect", e);
        }
    }

    private void tell(long available) {
        if (tight) {
            log.warn(
                    "{} of memory are available and {} are to be kept free: nothing more is lent, and servers are asked for {} slabs back",
                    Size.approximate(available),
                    Size.approximate(keep),
                    store.wantedBack());
        } else {
            log.info("{} of memory are available: lends again", Size.approximate(available));
        }
    }

    @Override
    public void close() {
        thread.shutdownNow();
        try {
            boolean _ = thread.awaitTermination(10, TimeUnit.SECONDS);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }
}
