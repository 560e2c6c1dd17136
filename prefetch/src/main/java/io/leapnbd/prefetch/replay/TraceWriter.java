package io.leapnbd.prefetch.replay;

import java.io.IOException;

/** Writes traces as {@link TraceReader} reads them. */
public final class TraceWriter {

    private TraceWriter() {}

    /**
     * Writes a trace.
     *
     * @param comment lines about the trace, without their {@code #}; may be empty
     */
    public static void write(Trace trace, String comment, Appendable out) throws IOException {
        for (String line : comment.lines().toList()) {
            out.append("# ").append(line).append('\n');
        }
        StringBuilder line = new StringBuilder(64);
        for (int i = 0; i < trace.size(); i++) {
            line.setLength(0);
            line.append(trace.micros(i))
                    .append(' ')
                    .append(trace.operation(i).letter())
                    .append(' ')
                    .append(trace.firstPage(i))
                    .append(' ')
                    .append(trace.pages(i))
                    .append('\n');
            out.append(line);
        }
    }
}
