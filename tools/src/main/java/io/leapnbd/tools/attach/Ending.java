package io.leapnbd.tools.attach;

import io.leapnbd.tools.cli.ExitCode;
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
 * again. Runs as a shutdown hook, beside the thread of the keeper, which goes on during a JVM's shutdown.
 */
final class Ending {
    private static final long RETRY_SECONDS = 10;

    /** What bringing pages home may take before a service manager gives up on it. */
    private static final Duration PAGES_HOME = Duration.ofMinutes(15);

    private final Keeper keeper;
    private final SwapOffChild swapOff;
    private final Path device;
    private final Consumer<String> report;
    private final ServiceNotice notice;
    private final CountDownLatch finished = new CountDownLatch(1);
    private @Nullable String lastRefusal;

    Ending(Keeper keeper, SwapOffChild swapOff, Path device, Consumer<String> report, ServiceNotice notice) {
        this.keeper = keeper;
        this.swapOff = swapOff;
        this.device = device;
        this.report = report;
        this.notice = notice;
    }

    /** From now on, a signal ends the attachment in order. */
    void onSignal() {
        Runtime.getRuntime().addShutdownHook(new Thread(this::end, "detach"));
    }

    /** Everything is undone, or given up: the process may end. */
    void finished() {
        finished.countDown();
    }

    private void end() {
        if (finished.getCount() > 0) {
            notice.stopping("moves all pages of " + device + " back into memory", PAGES_HOME);
        }
        try {
            while (!swappedOff()) {
                if (finished.await(RETRY_SECONDS, TimeUnit.SECONDS)) {
                    return;
                }
            }
            if (finished.getCount() == 0) {
                return; // not a signal, but the ordinary end
            }
            keeper.stop();
            finished.await();
        } catch (InterruptedException e) {
            return;
        }
        Runtime.getRuntime().halt(ExitCode.OK); // 143 would say that the signal killed it
    }

    private boolean swappedOff() {
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
