package io.leapnbd.tools.http;

import io.leapnbd.tools.cli.CommandFailure;

/** An endpoint has answered, and not with what it was asked for. */
public final class RefusedException extends CommandFailure {

    private static final long serialVersionUID = 1;

    private final int status;

    /**
     * With what it says.
     *
     * @param status of HTTP
     */
    RefusedException(int status, int exitCode, String message) {
        super(exitCode, message);
        this.status = status;
    }

    /** Of HTTP, 201 to 599. */
    public int status() {
        return status;
    }
}
