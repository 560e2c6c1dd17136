package io.leapnbd.tools.cli;

import picocli.CommandLine;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParseResult;

/** What every command takes; the root gives it to those that do not declare it themselves. */
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

    /** Gives these options to a command's subcommands, and theirs. */
    public static void addTo(CommandLine commandLine) {
        for (CommandLine subcommand : commandLine.getSubcommands().values()) {
            CommandSpec spec = subcommand.getCommandSpec();
            if (!spec.optionsMap().containsKey("--verbose")) {
                spec.addMixin("common", CommandSpec.forAnnotatedObject(new CommonOptions()));
            }
            addTo(subcommand);
        }
    }

    /** Whether {@code --verbose} was given to the command that is run. */
    public static boolean verbose(ParseResult result) {
        for (CommandLine command : result.asCommandLineList()) {
            if (command.getParseResult().hasMatchedOption("--verbose")) {
                return true;
            }
        }
        return false;
    }
}
