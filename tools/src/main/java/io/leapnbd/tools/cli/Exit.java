package io.leapnbd.tools.cli;

import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicBoolean;

/**
 * The end of a process that stays until it is told to go: SIGTERM, SIGINT, or a reason of its own. Whoever comes first
 * closes things, once, and decides the exit code; a signal's is 0, since to be told to go is no failure.
 */
public final class Exit {

    private final AtomicBoolean begun = new AtomicBoolean();
    private final CountDownLatch own = new CountDownLatch(1);
    private final CountDownLatch closed = new CountDownLatch(1);
    private final Runnable close;
    private volatile int code = ExitCode.OK;

    /**
     * Listens for signals from now on.
     *
     * @param close closes everything; run once, on a thread of this class or in {@link #await}
     */
    public Exit(Runnable close) {
        this.close = close;
        Runtime.getRuntime().addShutdownHook(Thread.ofPlatform().name("exit").unstarted(this::signalled));
    }

    /** Ends the process with this code, soon. Any thread; only the first call counts. */
    public void request(int exitCode) {
        if (own.getCount() > 0) {
            code = exitCode;
            own.countDown();
        }
    }

    /** Waits for {@link #request}, then closes everything and returns the code. A signal ends the process in here. */
    public int await() {
        try {
            own.await();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
        closeOnce();
        return code;
    }

    private void signalled() {
        closeOnce();
        LogSetup.flush();
        System.out.flush();
        // The virtual machine would say 143 for SIGTERM.
        Runtime.getRuntime().halt(code);
    }

    private void closeOnce() {
        if (begun.compareAndSet(false, true)) {
            try {
                close.run();
            } finally {
                closed.countDown();
            }
            return;
        }
        try {
            closed.await();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }
}
