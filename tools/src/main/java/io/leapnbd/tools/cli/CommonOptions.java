package io.leapnbd.tools.cli;

import picocli.CommandLine.Option;

/** What every command takes. */
public final class CommonOptions {

    @Option(
            names = {"-v", "--verbose"},
            description = "Say more, and show the stack trace of an error.")
    private boolean verbose;

    @Option(
            names = {"-h", "--help"},
            usageHelp = true,
            description = "Show this and exit.")
    @SuppressWarnings("UnusedVariable") // picocli acts on it
    private boolean help;

    /** For picocli. */
    public CommonOptions() {}

    /** Whether to say more. */
    public boolean verbose() {
        return verbose;
    }
}
