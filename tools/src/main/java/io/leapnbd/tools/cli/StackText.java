package io.leapnbd.tools.cli;

import ch.qos.logback.classic.spi.IThrowableProxy;
import ch.qos.logback.classic.spi.StackTraceElementProxy;
import ch.qos.logback.classic.spi.ThrowableProxy;

/**
 * A stack trace as lines. Messages of exceptions may be a peer's words: each stays on one line and sends no control characters, so none looks like a
 * line of the log. Any thread.
 */
final class StackText {

    private StackText() {}

    /** Of an exception and all its causes; each line but the last ends with a line feed. */
    static String of(Throwable thrown) {
        return of(new ThrowableProxy(thrown));
    }

    /** Likewise. */
    static String of(IThrowableProxy thrown) {
        StringBuilder out = new StringBuilder();
        append(out, "", "", thrown);
        return out.toString();
    }

    private static void append(StringBuilder out, String indent, String prefix, IThrowableProxy thrown) {
        out.append(out.isEmpty() ? "" : "\n").append(indent).append(prefix);
        LogFormat.printable(out, thrown.getClassName());
        if (thrown.getMessage() != null) {
            LogFormat.printable(out.append(": "), thrown.getMessage());
        }
        if (thrown.isCyclic()) {
            return;
        }
        StackTraceElementProxy[] frames = thrown.getStackTraceElementProxyArray();
        int own = frames.length - thrown.getCommonFrames();
        for (int i = 0; i < own; i++) {
            LogFormat.printable(out.append('\n').append(indent).append('\t'), frames[i].getSTEAsString());
        }
        if (own < frames.length) {
            out.append('\n')
                    .append(indent)
                    .append("\t... ")
                    .append(frames.length - own)
                    .append(" more");
        }
        for (IThrowableProxy suppressed : thrown.getSuppressed()) {
            append(out, indent + "\t", "Suppressed: ", suppressed);
        }
        if (thrown.getCause() != null) {
            append(out, indent, "Caused by: ", thrown.getCause());
        }
    }
}
