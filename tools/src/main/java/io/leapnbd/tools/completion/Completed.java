package io.leapnbd.tools.completion;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import picocli.CommandLine;
import picocli.CommandLine.Model.ArgSpec;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Model.OptionSpec;
import picocli.CommandLine.Model.PositionalParamSpec;

/**
 * A command as a shell completes it.
 *
 * @param words the command with those that it stands under, without the program: {@code histogram dump}; empty for the program
 * @param description one sentence, without a full stop
 * @param commands what may come next
 * @param options those that are shown in its help
 * @param arguments what else it takes
 */
record Completed(
        List<String> words,
        String description,
        List<Completed> commands,
        List<OptionSpec> options,
        List<PositionalParamSpec> arguments) {

    private static final Pattern SENTENCE = Pattern.compile("(.+?)[.:;](\\s|$)", Pattern.DOTALL);

    /** What can be typed as the value of an option. */
    enum Kind {
        /** None: it is there or not. */
        FLAG,
        /** One of a list. */
        WORDS,
        /** A path. */
        FILE,
        /** A block device of the kernel's NBD driver. */
        DEVICE,
        /** Anything. */
        TEXT
    }

    /** Of a command line and all below it. */
    static Completed of(CommandLine line) {
        return of(line, List.of());
    }

    private static Completed of(CommandLine line, List<String> words) {
        CommandSpec spec = line.getCommandSpec();
        List<Completed> below = new ArrayList<>();
        line.getSubcommands().forEach((name, command) -> {
            if (!command.getCommandSpec().usageMessage().hidden()) {
                List<String> longer = new ArrayList<>(words);
                longer.add(name);
                below.add(of(command, List.copyOf(longer)));
            }
        });
        List<OptionSpec> shown =
                spec.options().stream().filter(option -> !option.hidden()).toList();
        return new Completed(
                words,
                firstSentence(spec.usageMessage().description()),
                List.copyOf(below),
                shown,
                spec.positionalParameters());
    }

    /** What its last word is. */
    String name() {
        return words.getLast();
    }

    /** What an option is for, in one sentence. */
    static String description(OptionSpec option) {
        return firstSentence(option.description());
    }

    static Kind kind(ArgSpec argument) {
        if (argument.arity().max() == 0) {
            return Kind.FLAG;
        }
        if (!values(argument).isEmpty()) {
            return Kind.WORDS;
        }
        if (argument.paramLabel().contains("/dev/nbd")) {
            return Kind.DEVICE;
        }
        boolean isPath = argument.typeInfo().getType() == Path.class
                || List.of(argument.typeInfo().getAuxiliaryTypes()).contains(Path.class);
        return isPath || argument.paramLabel().matches("FILE|FOLDER|.*DIR|PATH|URI|TRACE") ? Kind.FILE : Kind.TEXT;
    }

    /** The values that there are; empty if it could be anything. */
    static List<String> values(ArgSpec argument) {
        List<String> values = new ArrayList<>();
        if (argument.completionCandidates() != null) {
            argument.completionCandidates().forEach(values::add);
        }
        return values;
    }

    private static String firstSentence(String[] description) {
        String text = String.join(" ", description)
                .replaceAll("%n", " ")
                .replaceAll("%%", "%")
                .strip();
        Matcher sentence = SENTENCE.matcher(text);
        String first = sentence.find() ? sentence.group(1) : text;
        return first.replaceAll("\\$\\{[^}]*}", "").replaceAll("\\s+", " ").strip();
    }
}
