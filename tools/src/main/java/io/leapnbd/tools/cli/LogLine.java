package io.leapnbd.tools.cli;

import ch.qos.logback.classic.Level;
import org.jspecify.annotations.Nullable;

/**
 * One line that is to be logged.
 *
 * @param millis when, since 1970
 * @param level how bad it is
 * @param logger who says it; empty for a line that a command prints as it is
 * @param message without control characters only after it was formatted
 * @param trace a stack trace of several lines, each of our making ({@link StackText}); null for none
 */
record LogLine(
        long millis,
        Level level,
        String logger,
        String message,
        @Nullable String trace) {

    /** The name without its package. */
    String shortLogger() {
        return logger.substring(logger.lastIndexOf('.') + 1);
    }
}
