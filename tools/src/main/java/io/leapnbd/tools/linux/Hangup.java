package io.leapnbd.tools.linux;

import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import org.jline.utils.Signals;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * SIGHUP, which a process gets when the terminal or ssh session that it was started from ends. By default a JVM ends. A process that
 * keeps other programs' pages stays.
 */
public final class Hangup {

    private static final Logger log = LoggerFactory.getLogger(Hangup.class);

    private static final int SIGHUP = 1;
    private static final long SIG_IGN = 1;
    /** The kernel's {@code struct sigaction}: handler, flags, restorer and mask, of eight bytes each. */
    private static final long SIGACTION = 32;

    private static final long SIGNAL_SET = 8;

    private Hangup() {}

    /** From now on SIGHUP is a line in the log, and nothing else; where it was ignored, as under nohup, not even that. */
    public static void outlive() {
        Signals.register("HUP", () -> log.info("hang-up: this process stays; SIGTERM ends it"));
    }

    /** As {@link #outlive}, and something is done, on a thread of its own each time. */
    public static void then(Runnable task) {
        Signals.register("HUP", task);
    }

    /** Something is done at SIGUSR1, on a thread of its own. */
    public static void onUser(Runnable task) {
        Signals.register("USR1", task);
    }

    /** From now on this process, and every child that it starts, ignores it. */
    public static void ignore() throws LinuxException {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment action = arena.allocate(SIGACTION, 8);
            action.set(JAVA_LONG, 0, SIG_IGN);
            new SystemCalls(arena).require(Call.RT_SIGACTION, SIGHUP, action.address(), 0, SIGNAL_SET);
        }
    }
}
