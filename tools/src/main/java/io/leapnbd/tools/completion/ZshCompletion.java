package io.leapnbd.tools.completion;

import java.util.ArrayList;
import java.util.List;
import picocli.CommandLine;
import picocli.CommandLine.Model.ArgSpec;
import picocli.CommandLine.Model.OptionSpec;

/** A script for zsh: to be found as {@code _PROGRAM} in its {@code fpath}, or sourced after {@code compinit}. */
public final class ZshCompletion {

    private ZshCompletion() {}

    /**
     * Makes the script.
     *
     * @param program the name that is typed
     * @param line its command line with all commands
     */
    public static String script(String program, CommandLine line) {
        StringBuilder out = new StringBuilder("#compdef " + program + "\n\n");
        Completed all = Completed.of(line);
        add(out, function(program, all), all);
        out.append("if [[ ${funcstack[1]} = ").append(function(program, all)).append(" ]]; then\n");
        out.append("  ").append(function(program, all)).append(" \"$@\"\n");
        out.append("else\n  compdef ")
                .append(function(program, all))
                .append(' ')
                .append(program);
        return out.append("\nfi\n").toString();
    }

    private static String function(String program, Completed command) {
        return "_" + (command.words().isEmpty() ? program : program + "_" + String.join("_", command.words()));
    }

    /** A function for a command, after those for the commands below it. */
    private static void add(StringBuilder out, String name, Completed command) {
        for (Completed next : command.commands()) {
            add(out, name + "_" + next.name(), next);
        }
        out.append(name).append("() {\n");
        List<String> words = new ArrayList<>();
        for (OptionSpec option : command.options()) {
            for (String spelling : option.names()) {
                words.add(quoted(option(spelling, option)));
            }
        }
        if (command.commands().isEmpty()) {
            command.arguments().stream().limit(1).forEach(argument -> words.add(quoted("*" + value(argument))));
            out.append("  _arguments -s \\\n    ").append(String.join(" \\\n    ", words));
            out.append("\n}\n\n");
            return;
        }
        words.add("'1: :->command'");
        words.add("'*:: :->rest'");
        out.append("  local context state state_descr line\n  typeset -A opt_args\n");
        out.append("  _arguments -C \\\n    ")
                .append(String.join(" \\\n    ", words))
                .append('\n');
        out.append("  case $state in\n    command)\n      local -a commands=(\n");
        for (Completed next : command.commands()) {
            out.append("        ")
                    .append(quoted(next.name() + ":" + next.description()))
                    .append('\n');
        }
        out.append("      )\n      _describe command commands\n      ;;\n    rest)\n      case $words[1] in\n");
        for (Completed next : command.commands()) {
            out.append("        ")
                    .append(next.name())
                    .append(") ")
                    .append(name)
                    .append('_')
                    .append(next.name());
            out.append(" ;;\n");
        }
        out.append("      esac\n      ;;\n  esac\n}\n\n");
    }

    private static String option(String spelling, OptionSpec option) {
        boolean isFlag = Completed.kind(option) == Completed.Kind.FLAG;
        String repeated = option.isMultiValue() ? "*" : "";
        String equals = isFlag || !spelling.startsWith("--") ? "" : "=";
        return repeated + spelling + equals + "[" + escaped(Completed.description(option)) + "]" + value(option);
    }

    /** What may stand for it, in the words of {@code _arguments}. */
    private static String value(ArgSpec argument) {
        return switch (Completed.kind(argument)) {
            case FLAG -> "";
            case WORDS -> ":" + label(argument) + ":(" + String.join(" ", Completed.values(argument)) + ")";
            case FILE -> ":" + label(argument) + ":_files";
            case DEVICE -> ":" + label(argument) + ":(/dev/nbd*(N))";
            case TEXT -> ":" + label(argument) + ":";
        };
    }

    private static String label(ArgSpec argument) {
        return argument.paramLabel().replaceAll("[^A-Za-z0-9 |.-]", "");
    }

    private static String escaped(String text) {
        return text.replace("\\", "\\\\")
                .replace("[", "\\[")
                .replace("]", "\\]")
                .replace(":", "\\:");
    }

    private static String quoted(String text) {
        return "'" + text.replace("'", "'\\''") + "'";
    }
}
