package io.leapnbd.prefetch.replay;

import java.io.IOException;

/** A trace that cannot be read; the message says what is wrong with which line, and not in which file. */
public final class TraceFormatException extends IOException {

    private static final long serialVersionUID = 1;

    private final long line;

    TraceFormatException(long line, String what) {
        super("line " + line + ": " + what);
        this.line = line;
    }

    /** The line that is wrong, from 1 on. */
    public long line() {
        return line;
    }
}
