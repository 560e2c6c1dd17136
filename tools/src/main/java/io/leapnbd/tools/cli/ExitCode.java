package io.leapnbd.tools.cli;

/** What every command exits with. */
public final class ExitCode {

    /** Done. */
    public static final int OK = 0;

    /** It was tried and did not work; the one line on standard error says why. */
    public static final int FAILED = 1;

    /** The command line is wrong; nothing was tried. */
    public static final int USAGE = 2;

    /** The server or donor that the command talks to does not answer. */
    public static final int UNREACHABLE = 3;

    /** This machine or user lacks something: a permission, a package, a kernel feature. */
    public static final int NOT_POSSIBLE_HERE = 4;

    /** Ended by Ctrl-C. */
    public static final int INTERRUPTED = 130;

    private ExitCode() {}
}
