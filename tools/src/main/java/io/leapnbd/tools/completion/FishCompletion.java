package io.leapnbd.tools.completion;

import java.util.List;
import java.util.StringJoiner;
import picocli.CommandLine;
import picocli.CommandLine.Model.OptionSpec;
import picocli.CommandLine.Model.PositionalParamSpec;

/** A script for fish. */
public final class FishCompletion {

    /** A command substitution of fish, asked at each completion; only {@code set} takes a pattern that nothing fits. */
    private static final String DEVICES = "'(set -l found /dev/nbd*; printf \"%s\\n\" $found)'";

    private FishCompletion() {}

    /**
     * Makes the script.
     *
     * @param program the name that is typed
     * @param line its command line with all commands
     */
    public static String script(String program, CommandLine line) {
        StringBuilder out = new StringBuilder("# Has fish complete " + program + ".\n");
        // Only where a file is wanted are files offered.
        out.append("complete -c ").append(program).append(" -f\n");
        add(out, program, Completed.of(line));
        return out.toString();
    }

    private static void add(StringBuilder out, String program, Completed command) {
        String where = "complete -c " + program + " -n " + quoted(condition(command));
        for (Completed next : command.commands()) {
            out.append(where).append(" -a ").append(next.name());
            out.append(" -d ").append(quoted(next.description())).append('\n');
        }
        for (OptionSpec option : command.options()) {
            out.append(where);
            for (String name : option.names()) {
                out.append(name.startsWith("--") ? " -l " + name.substring(2) : " -s " + name.substring(1));
            }
            out.append(
                    switch (Completed.kind(option)) {
                        case FLAG -> "";
                        case WORDS -> " -x -a " + quoted(String.join(" ", Completed.values(option)));
                        case FILE -> " -r -F";
                        case DEVICE -> " -x -a " + DEVICES;
                        case TEXT -> " -x";
                    });
            out.append(" -d ").append(quoted(Completed.description(option))).append('\n');
        }
        for (PositionalParamSpec argument : command.arguments()) {
            switch (Completed.kind(argument)) {
                case WORDS ->
                    out.append(where)
                            .append(" -a ")
                            .append(quoted(String.join(" ", Completed.values(argument))))
                            .append('\n');
                case DEVICE -> out.append(where).append(" -a ").append(DEVICES).append('\n');
                case FILE -> out.append(where).append(" -F\n");
                case FLAG, TEXT -> {}
            }
        }
        command.commands().forEach(next -> add(out, program, next));
    }

    /** Whether this command is the one that is being typed. */
    private static String condition(Completed command) {
        if (command.words().isEmpty()) {
            return "__fish_use_subcommand";
        }
        StringJoiner all = new StringJoiner("; and ");
        command.words().forEach(word -> all.add("__fish_seen_subcommand_from " + word));
        List<String> next = command.commands().stream().map(Completed::name).toList();
        if (!next.isEmpty()) {
            all.add("not __fish_seen_subcommand_from " + String.join(" ", next));
        }
        return all.toString();
    }

    private static String quoted(String text) {
        return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'";
    }
}
