package io.leapnbd.tools.status;

/**
 * Colours of a picture's lines. They say nothing that the words do not.
 *
 * @param on whether there are any
 */
record Paint(boolean on) {

    private static final String BOLD = "\033[1m";
    private static final String DIM = "\033[2m";
    private static final String RED = "\033[31m";
    private static final String YELLOW = "\033[33m";
    private static final String PLAIN = "\033[m";

    /** A line in its colour. */
    String line(String line, boolean first) {
        if (!on || line.isEmpty()) {
            return line;
        }
        String colour = first
                ? BOLD
                : line.startsWith("no answer") || line.contains("  down  ")
                        ? RED
                        : line.startsWith("degraded") ? YELLOW : isHeading(line) ? DIM : "";
        return colour.isEmpty() ? line : colour + line + PLAIN;
    }

    private static boolean isHeading(String line) {
        return line.startsWith("requests ")
                || line.startsWith("donor ")
                || line.startsWith("export ")
                || line.startsWith("owner ")
                || line.startsWith("process ");
    }
}
