package io.leapnbd.tools.attach;

import io.leapnbd.tools.linux.SwapArea;
import io.leapnbd.tools.service.ServiceNotice;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Optional;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * What the resident process does when a signal tells it to end: it ends swapping while the keeper still keeps the
 * connection, and only then lets the keeper go. When swapping cannot be ended, it says so, keeps everything, and tries
 * again. {@link #end} runs in a shutdown hook, beside the thread of the keeper, which goes on during a JVM's shutdown.
 */
final class Ending {
    private static final long RETRY_SECONDS = 10;

    /** What bringing pages home may take before a service manager gives up on it. */
    private static final Duration PAGES_HOME = Duration.ofMinutes(15);

    private final Keeper keeper;
    private final SwapOffChild swapOff;
    private final Path device;
    private final Consumer<String> report;
    private final CountDownLatch finished = new CountDownLatch(1);
    private @Nullable String lastRefusal;
    private boolean begun;

    Ending(Keeper keeper, SwapOffChild swapOff, Path device, Consumer<String> report) {
        this.keeper = keeper;
        this.swapOff = swapOff;
        this.device = device;
        this.report = report;
    }

    /** Something that must not be done any more when the end has begun. */
    interface Step {
        void run() throws IOException;
    }

    /** Does it, unless the end has begun: then nobody would undo it. */
    synchronized void unlessBegun(Step step) throws IOException {
        if (!begun) {
            step.run();
        }
    }

    private synchronized void begin() {
        begun = true;
    }

    /** Everything is undone, or given up: the process may end. */
    void finished() {
        finished.countDown();
    }

    /**
     * Ends swapping, however often that is refused, and returns when all is undone.
     *
     * @param notice is told what it does
     * @return false if all had ended before
     */
    boolean end(ServiceNotice notice) throws InterruptedException {
        if (finished.getCount() == 0) {
            return false;
        }
        begin();
        notice.stopping("moves all pages of " + device + " back into memory", PAGES_HOME);
        while (!swappedOff(notice)) {
            if (finished.await(RETRY_SECONDS, TimeUnit.SECONDS)) {
                return true;
            }
        }
        keeper.stop();
        finished.await();
        return true;
    }

    private boolean swappedOff(ServiceNotice notice) {
        if (finished.getCount() == 0) {
            return true;
        }
        String refusal;
        try {
            if (SwapArea.on(device).isEmpty()) {
                return true;
            }
            Optional<String> lacking = SwapRoom.lacking(device);
            if (lacking.isEmpty()) {
                swapOff.swapOff(device);
                return true;
            }
            refusal = lacking.get();
        } catch (IOException e) {
            refusal = String.valueOf(e.getMessage());
        }
        if (!refusal.equals(lastRefusal)) {
            notice.status("not detached: " + refusal);
            report.accept("not detached: " + refusal + "; trying again every " + RETRY_SECONDS + " s");
        }
        lastRefusal = refusal;
        return false;
    }
}
