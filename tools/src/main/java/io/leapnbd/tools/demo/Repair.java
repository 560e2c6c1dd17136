package io.leapnbd.tools.demo;

import io.leapnbd.tools.cli.CommandFailure;
import io.leapnbd.tools.cli.ExitCode;
import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.locks.LockSupport;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * How the pages of a donor that was killed got their second copies again.
 *
 * @param bytes that were copied to the other donors
 * @param waitedNanos between the donor's death and the first copy of it that the server gave up
 * @param copiedNanos from then on, until each page had two copies
 */
record Repair(long bytes, long waitedNanos, long copiedNanos) {

    private static final Duration PATIENCE = Duration.ofSeconds(60);
    private static final long LOOK_NANOS = Duration.ofMillis(5).toNanos();
    private static final Pattern SHORT = Pattern.compile("\"slabs_short_of_copies\": (\\d+)");
    private static final Pattern DROPPED = Pattern.compile("\"copies_dropped\": (\\d+)");
    private static final Pattern FILLED = Pattern.compile("\"copies_filled_bytes\": (\\d+)");

    /** Watches a server from now on, which is when a donor is killed. Throws {@link CommandFailure} if it takes too long. */
    static CompletableFuture<Repair> watch(Cluster cluster, long slabs) {
        return CompletableFuture.supplyAsync(() -> await(cluster, slabs));
    }

    private static Repair await(Cluster cluster, long slabs) {
        long start = System.nanoTime();
        long begun = 0;
        while (System.nanoTime() - start < PATIENCE.toNanos()) {
            String status = cluster.status();
            long now = System.nanoTime();
            if (begun == 0 && number(DROPPED, status) > 0) {
                begun = now;
            }
            if (begun != 0 && number(DROPPED, status) >= slabs && number(SHORT, status) == 0) {
                return new Repair(number(FILLED, status), begun - start, now - begun);
            }
            LockSupport.parkNanos(LOOK_NANOS);
        }
        throw new CommandFailure(
                ExitCode.FAILED,
                "a donor was killed, and its pages had no second copy again after " + PATIENCE.toSeconds() + "s");
    }

    private static long number(Pattern pattern, String status) {
        Matcher matcher = pattern.matcher(status);
        return matcher.find() ? Long.parseLong(matcher.group(1)) : 0;
    }
}
