package io.leapnbd.tools.cli;

import org.jspecify.annotations.Nullable;

/** Ends a command with one line for people: what is wrong, and what would put it right. */
public class CommandFailure extends RuntimeException {

    private static final long serialVersionUID = 1;

    private final int exitCode;

    /**
     * A failure without an exception behind it.
     *
     * @param exitCode one of {@link ExitCode}
     * @param message one sentence with its remedy, without a full stop
     */
    public CommandFailure(int exitCode, String message) {
        this(exitCode, message, null);
    }

    /** A failure that came of another; {@code --verbose} shows the cause's trace. */
    public CommandFailure(int exitCode, String message, @Nullable Throwable cause) {
        super(message, cause);
        this.exitCode = exitCode;
    }

    /** What the process exits with. */
    public final int exitCode() {
        return exitCode;
    }
}
