package io.leapnbd.tools.cli;

import java.io.PrintWriter;
import java.util.Locale;
import java.util.function.BiFunction;
import picocli.CommandLine;
import picocli.CommandLine.IExecutionExceptionHandler;
import picocli.CommandLine.IParameterExceptionHandler;
import picocli.CommandLine.Model.OptionSpec;
import picocli.CommandLine.OverwrittenOptionException;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.ParseResult;
import picocli.CommandLine.UnmatchedArgumentException;

/** Turns every exception into one line on standard error and an exit code. */
public final class OneLineErrors implements IParameterExceptionHandler, IExecutionExceptionHandler {

    private final BiFunction<CommandLine, String, String> explanation;

    /** That says no more than commands do. */
    public OneLineErrors() {
        this((command, line) -> line);
    }

    /**
     * For the root command.
     *
     * @param explanation adds to a command's complaint where what it complains of is written
     */
    public OneLineErrors(BiFunction<CommandLine, String, String> explanation) {
        this.explanation = explanation;
    }

    @Override
    public int handleParseException(ParameterException e, String[] args) {
        CommandLine command = e.getCommandLine();
        PrintWriter err = command.getErr();
        StringBuilder line = new StringBuilder(command.getCommandSpec().qualifiedName())
                .append(": ")
                .append(explanation.apply(command, sentence(e)));
        if (line.indexOf(";") < 0) {
            line.append("; '").append(command.getCommandSpec().qualifiedName()).append(" --help' shows what there is");
        }
        err.println(line);
        return ExitCode.USAGE;
    }

    @Override
    public int handleExecutionException(Exception e, CommandLine command, ParseResult result) {
        PrintWriter err = command.getErr();
        boolean verbose = CommonOptions.verbose(result);
        String name = command.getCommandSpec().qualifiedName();
        if (e instanceof CommandFailure failure) {
            err.println(name + ": " + explanation.apply(command, firstLine(String.valueOf(failure.getMessage()))));
            if (verbose && failure.getCause() != null) {
                err.println(StackText.of(failure.getCause()));
            }
            return failure.exitCode();
        }
        err.println(name + ": " + firstLine(describe(e)) + (verbose ? "" : "; --verbose shows where"));
        if (verbose) {
            err.println(StackText.of(e));
        }
        return ExitCode.FAILED;
    }

    /** What went wrong, in words: an exception's message, with the class's name where the message alone says too little. */
    public static String describe(Throwable e) {
        String message = e.getMessage();
        if (message == null || message.isBlank()) {
            return e.getClass().getSimpleName();
        }
        boolean bare = message.indexOf(' ') < 0;
        return bare ? e.getClass().getSimpleName() + ": " + message : message;
    }

    /** What is wrong with a command line, in our words. */
    public static String sentence(ParameterException e) {
        if (e instanceof OverwrittenOptionException twice && twice.getOverwritten() instanceof OptionSpec option) {
            return option.longestName() + " is given twice; give it once";
        }
        return e instanceof UnmatchedArgumentException unmatched ? unmatched(unmatched) : firstLine(message(e));
    }

    /** picocli wraps what a converter says into a sentence of its own; ours comes first and reads on. */
    private static String message(ParameterException e) {
        String text = String.valueOf(e.getMessage());
        if (e.getArgSpec() != null && text.startsWith("Invalid value for ")) {
            int ours = text.indexOf("): ");
            int colon = ours >= 0 ? ours + 3 : text.indexOf(": ") + 2;
            int enumeration = text.indexOf("expected one of [");
            if (enumeration >= 0) {
                String choices = text.substring(enumeration + 17, text.indexOf(']', enumeration));
                String given = text.substring(text.lastIndexOf(" '") + 1);
                return prefix(e) + given + " is none of " + choices.toLowerCase(Locale.ROOT) + "; choose one of them";
            }
            if (colon >= 2) {
                return prefix(e)
                        + text.substring(colon).replaceFirst(" is not an? (int|long|short)$", " is not a whole number");
            }
        }
        boolean word = text.length() > 1 && Character.isLowerCase(text.charAt(1));
        return word ? Character.toLowerCase(text.charAt(0)) + text.substring(1) : text;
    }

    private static String unmatched(UnmatchedArgumentException e) {
        String first = e.getUnmatched().getFirst();
        if (!e.getSuggestions().isEmpty() && first.startsWith("-")) {
            return "there is no option " + first + "; did you mean " + String.join(" or ", e.getSuggestions()) + "?";
        }
        if (first.startsWith("-")) {
            return "there is no option " + first;
        }
        boolean command = !e.getCommandLine().getSubcommands().isEmpty();
        return command
                ? "there is no command '" + first + "'"
                        + NearestName.hint(
                                first, e.getCommandLine().getSubcommands().keySet())
                : "'" + first + "' was not expected here";
    }

    private static String prefix(ParameterException e) {
        return e.getArgSpec() instanceof OptionSpec option ? option.longestName() + ": " : "";
    }

    private static String firstLine(String text) {
        StringBuilder out = new StringBuilder();
        // A peer's words may be in it.
        LogFormat.printable(out, text.lines().findFirst().orElse(""));
        return out.toString();
    }
}
