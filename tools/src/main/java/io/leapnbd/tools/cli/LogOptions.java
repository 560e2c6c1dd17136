package io.leapnbd.tools.cli;

import java.util.Set;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.ParseResult;

/** The options of a command that stays about what it logs, and how. */
public final class LogOptions {

    /** Their names in a file of settings. */
    public static final Set<String> KEYS = Set.of("log-level", "log-format");

    private static final String LEVEL = "--log-level";
    private static final String FORMAT = "--log-format";

    @Option(
            names = LEVEL,
            paramLabel = "LEVEL",
            description =
                    "What is logged: trace, debug, info, warn, error or off. 'leap-nbd set log-level=' changes it while the process"
                            + " runs. Default: $LEAP_NBD_LOG, else info.")
    @SuppressWarnings("UnusedVariable") // read from the result, before the command runs
    private @Nullable String level;

    @Option(
            names = FORMAT,
            paramLabel = "FORMAT",
            description =
                    "How: text, with date and level; json, an object a line; journal, with the journal's priorities and without"
                            + " a date. Default: journal where standard error is the journal, else text.")
    @SuppressWarnings("UnusedVariable") // as above
    private @Nullable String format;

    /** For picocli. */
    public LogOptions() {}

    /** As {@link #apply}; where it is not told anything it logs as at the start. */
    public static void applyAll(ParseResult result) {
        LogSetup.usual();
        apply(result);
    }

    /**
     * Checks what commands are told; nothing is changed.
     *
     * @throws ParameterException if one of them is told nonsense
     */
    public static void check(ParseResult result) {
        for (CommandLine command : result.asCommandLineList()) {
            ParseResult parsed = command.getParseResult();
            String level = parsed.matchedOptionValue(LEVEL, (String) null);
            String format = parsed.matchedOptionValue(FORMAT, (String) null);
            if (level != null && !LogSetup.isLevel(level)) {
                throw new ParameterException(command, LEVEL + ": " + LogSetup.complaint(level));
            }
            if (format != null && LogFormat.Kind.of(format) == null) {
                throw new ParameterException(
                        command, FORMAT + ": '" + format + "' is none of text, json and journal; choose one of them");
            }
        }
    }

    /**
     * Logs as the command that is run is told to.
     *
     * @throws ParameterException if it is told nonsense
     */
    public static void apply(ParseResult result) {
        check(result);
        boolean verbose = CommonOptions.verbose(result);
        String level = null;
        for (CommandLine command : result.asCommandLineList()) {
            ParseResult parsed = command.getParseResult();
            level = parsed.matchedOptionValue(LEVEL, level);
            String format = parsed.matchedOptionValue(FORMAT, (String) null);
            LogFormat.Kind kind = format == null ? null : LogFormat.Kind.of(format);
            if (kind != null) {
                LogSetup.format(kind);
            }
        }
        if (level != null) {
            LogSetup.level(level);
        } else if (verbose) {
            LogSetup.level("debug");
        }
    }
}
