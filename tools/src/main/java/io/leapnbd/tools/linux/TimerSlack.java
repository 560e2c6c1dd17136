package io.leapnbd.tools.linux;

import java.lang.foreign.Arena;

/** How much later than asked the kernel may end a wait of the calling thread, to end several at once ({@code PR_SET_TIMERSLACK}). */
public final class TimerSlack {
    private static final int PR_SET_TIMERSLACK = 29;

    private TimerSlack() {}

    /** Sets it, in nanoseconds, for the calling thread; 50,000 unless set. */
    public static void set(long nanos) throws LinuxException {
        try (Arena arena = Arena.ofConfined()) {
            new SystemCalls(arena).require(Call.PRCTL, PR_SET_TIMERSLACK, nanos, 0, 0, 0);
        }
    }
}
