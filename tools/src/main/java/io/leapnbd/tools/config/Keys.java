package io.leapnbd.tools.config;

import io.leapnbd.tools.cli.NearestName;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Model.ArgSpec;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Model.OptionSpec;
import picocli.CommandLine.Model.PositionalParamSpec;

/**
 * The keys that a command's section may have: the long names of its options without their dashes, and of a parameter its label in
 * small letters, like {@code uri}. They come from the command's model, so they cannot differ from its options.
 */
final class Keys {

    /** The label of an option that is a list in one text, with commas. */
    private static final String LIST = "LIST";

    /** A command in quotes; or an option, perhaps with what is to be said of it. */
    private static final Pattern OPTION = Pattern.compile(
            "'leap-nbd [^']*'|(?<![\\w-])--(?<key>[a-z][a-z-]*[a-z])(?: (?<value>[A-Z]+(?::[A-Z]+)*|on|off|none|require|tls|auth)\\b)?");

    private static final String VARIABLE = "LEAP_NBD_";

    /** What is said of one start, or of this machinery itself. */
    private static final Set<String> NEVER = Set.of("help", "version", "verbose", "config", "instance");

    private final String command;
    private final Map<String, ArgSpec> arguments = new LinkedHashMap<>();
    private final Set<String> once;

    /**
     * Of a command.
     *
     * @param once keys that are for one start, and in a file would be for each
     */
    Keys(CommandSpec command, Set<String> once) {
        this.command = command.name();
        this.once = once;
        for (OptionSpec option : command.options()) {
            String key = option.longestName().replaceFirst("^-+", "");
            if (!option.hidden() && !NEVER.contains(key) && !once.contains(key)) {
                arguments.put(key, option);
            }
        }
        for (PositionalParamSpec parameter : command.positionalParameters()) {
            arguments.put(parameter.paramLabel().toLowerCase(Locale.ROOT), parameter);
        }
    }

    /** All of them, in the order of the command's help. */
    Collection<String> all() {
        return arguments.keySet();
    }

    /** What a key stands for; null if there is no such key. */
    @Nullable
    ArgSpec argument(String key) {
        return arguments.get(key);
    }

    /** What is wrong with a name that is no key, and what would be right. */
    String complaint(String name) {
        if (once.contains(name)) {
            return "it is for one start, not for all; give it on the command line, --" + name;
        }
        if (name.equals("verbose")) {
            return "write log-level = \"debug\"";
        }
        String hint = NearestName.hint(name, all());
        return "there is no such setting of " + command
                + (hint.isEmpty() ? "; 'leap-nbd config example' lists them" : hint);
    }

    /** A sentence that speaks of options, in the words of a file: {@code pool = "FOLDER"} for {@code --pool}. Commands in it stay as they are. */
    String asInFile(String sentence) {
        return OPTION.matcher(sentence).replaceAll(found -> {
            String key = found.group("key");
            ArgSpec argument = key == null ? null : argument(key);
            if (argument == null) {
                return Matcher.quoteReplacement(found.group());
            }
            if (found.start() == 0 && sentence.startsWith(":", found.end())) {
                return key;
            }
            String given = found.group("value");
            String value = isFlag(argument) ? "true" : '"' + (given == null ? argument.paramLabel() : given) + '"';
            return Matcher.quoteReplacement(
                    key + " = " + value + (isFlag(argument) && given != null ? " " + given : ""));
        });
    }

    /** The variable of the environment that sets a key. */
    String variable(String key) {
        return variables() + key.toUpperCase(Locale.ROOT).replace('-', '_');
    }

    /** What such variables begin with. */
    String variables() {
        return VARIABLE + command.toUpperCase(Locale.ROOT) + "_";
    }

    /** The key that a variable of this command sets; of one that sets none, what it would be called. */
    String key(String variable) {
        return variable.substring(variables().length()).toLowerCase(Locale.ROOT).replace('_', '-');
    }

    /** Whether it is a flag, which is true or false. */
    static boolean isFlag(ArgSpec argument) {
        return argument.type() == boolean.class || argument.type() == Boolean.class;
    }

    /** Whether it may be given several times. */
    static boolean isRepeated(ArgSpec argument) {
        return argument.isMultiValue();
    }

    /** Whether it is one text with commas, which a file has as a list. */
    static boolean isList(ArgSpec argument) {
        return argument.paramLabel().equals(LIST);
    }

    /** Whether it is a whole number. */
    static boolean isNumber(ArgSpec argument) {
        return List.of(int.class, Integer.class, long.class, Long.class).contains(argument.type())
                || argument.paramLabel().length() <= 2;
    }
}
