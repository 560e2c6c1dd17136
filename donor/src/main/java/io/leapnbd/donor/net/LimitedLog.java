package io.leapnbd.donor.net;

import java.util.concurrent.TimeUnit;
import org.slf4j.Logger;

/**
 * Lines about what peers do, which they could otherwise make as many of as they like: {@link #LINES} in {@link #SECONDS}. What is left
 * out is counted, and said with the next line. Any thread.
 */
final class LimitedLog {

    private static final int LINES = 20;
    private static final int SECONDS = 10;

    private final Logger log;
    private long began = System.nanoTime();
    private int lines;
    private long leftOut;

    LimitedLog(Logger log) {
        this.log = log;
    }

    void info(String format, Object... arguments) {
        long before;
        synchronized (this) {
            long now = System.nanoTime();
            if (now - began > TimeUnit.SECONDS.toNanos(SECONDS)) {
                began = now;
                lines = 0;
            }
            if (lines == LINES) {
                leftOut++;
                return;
            }
            lines++;
            before = leftOut;
            leftOut = 0;
        }
        if (before > 0) {
            log.info("{} lines about links were left out", before);
        }
        log.info(format, arguments);
    }
}
