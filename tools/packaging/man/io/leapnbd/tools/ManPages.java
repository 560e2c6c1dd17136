package io.leapnbd.tools;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import picocli.CommandLine;
import picocli.CommandLine.Help;
import picocli.CommandLine.Model.ArgSpec;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Model.OptionSpec;
import picocli.CommandLine.Model.PositionalParamSpec;

/**
 * Writes man pages from the same models that {@code --help} is made of: {@code leap-nbd.1}, and one for each command. Run by tools/package,
 * with the jars on the class path, in the package of the command line's root.
 */
final class ManPages {

    private final Path folder;
    private final String version;

    private ManPages(Path folder, String version) {
        this.folder = folder;
        this.version = version;
    }

    /** Arguments: the folder to write to, and the version. */
    public static void main(String[] arguments) throws IOException {
        ManPages pages = new ManPages(Files.createDirectories(Path.of(arguments[0])), arguments[1]);
        CommandLine root = LeapNbd.commandLine();
        pages.write(root, List.of());
    }

    private void write(CommandLine command, List<String> parents) throws IOException {
        if (command.getCommandSpec().usageMessage().hidden()) {
            return;
        }
        List<String> names = new ArrayList<>(parents);
        names.add(command.getCommandName());
        Files.writeString(folder.resolve(String.join("-", names) + ".1"), page(command, names));
        for (CommandLine subcommand : distinct(command)) {
            write(subcommand, names);
        }
    }

    private static List<CommandLine> distinct(CommandLine command) {
        return command.getSubcommands().values().stream().distinct().toList();
    }

    private String page(CommandLine command, List<String> names) {
        CommandSpec spec = command.getCommandSpec();
        String title = String.join("-", names);
        List<String> about = lines(spec.usageMessage().description());
        StringBuilder out = new StringBuilder();
        out.append(".TH ").append(quoted(title.toUpperCase(java.util.Locale.ROOT))).append(" 1 \"\" ");
        out.append(quoted("leap-nbd " + version)).append(" \"leap-nbd\"\n");
        out.append(".nh\n.ad l\n");
        out.append(".SH NAME\n").append(text(title)).append(" \\- ");
        out.append(text(about.isEmpty() ? title : shortOf(about.getFirst()))).append('\n');
        out.append(".SH SYNOPSIS\n.nf\n");
        CommandLine.Help help = new Help(spec, Help.defaultColorScheme(Help.Ansi.OFF));
        lines(help.synopsis(0).split("\n")).forEach(line -> out.append(text(line)).append('\n'));
        out.append(".fi\n.SH DESCRIPTION\n");
        paragraphs(out, about);
        List<ArgSpec> arguments = Stream.concat(
                        spec.positionalParameters().stream().filter(parameter -> !parameter.hidden()).map(ArgSpec.class::cast),
                        spec.options().stream().filter(option -> !option.hidden()).map(ArgSpec.class::cast))
                .toList();
        if (!arguments.isEmpty()) {
            out.append(".SH OPTIONS\n");
            arguments.forEach(argument -> argument(out, argument));
        }
        List<CommandLine> commands = distinct(command).stream()
                .filter(one -> !one.getCommandSpec().usageMessage().hidden())
                .toList();
        if (!commands.isEmpty()) {
            out.append(".SH COMMANDS\n");
            for (CommandLine one : commands) {
                out.append(".TP\n.B ").append(text(title + "-" + one.getCommandName())).append("(1)\n");
                List<String> its = lines(one.getCommandSpec().usageMessage().description());
                out.append(text(its.isEmpty() ? "" : its.getFirst())).append('\n');
            }
        }
        List<String> footer = lines(spec.usageMessage().footer());
        if (!footer.isEmpty()) {
            out.append(".SH NOTES\n");
            if (spec.usageMessage().footerHeading() != null && !spec.usageMessage().footerHeading().isBlank()) {
                out.append(text(String.format(spec.usageMessage().footerHeading()).strip())).append("\n.br\n");
            }
            out.append(".nf\n");
            footer.forEach(line -> out.append(text(line)).append('\n'));
            out.append(".fi\n");
        }
        out.append(".SH SEE ALSO\n");
        out.append(names.size() == 1 ? "The pages of the commands, and" : ".BR leap-nbd (1),");
        out.append("\n/usr/share/doc/leap-nbd/installing.md\n");
        return out.toString();
    }

    private static void argument(StringBuilder out, ArgSpec argument) {
        out.append(".TP\n.B ");
        if (argument instanceof OptionSpec option) {
            String value = option.arity().max() == 0 ? "" : "=" + option.paramLabel();
            out.append(text(String.join(", ", option.names()) + value));
        } else if (argument instanceof PositionalParamSpec parameter) {
            out.append(text(parameter.paramLabel()));
        }
        out.append('\n');
        paragraphs(out, lines(argument.description()));
    }

    private static void paragraphs(StringBuilder out, List<String> lines) {
        boolean first = true;
        for (String line : lines) {
            if (line.isBlank()) {
                out.append(".sp\n");
            } else {
                out.append(first ? "" : ".br\n").append(text(line)).append('\n');
            }
            first = line.isBlank();
        }
    }

    /** A name's line has no full stop, and begins small. */
    private static String shortOf(String sentence) {
        String first = sentence.replaceFirst("[:.;].*", "");
        return first.substring(0, 1).toLowerCase(java.util.Locale.ROOT) + first.substring(1);
    }

    /** As a person reads them: picocli's own marks for line ends are resolved. */
    private static List<String> lines(String[] described) {
        return Stream.of(described)
                .flatMap(line -> Stream.of(line.replace("%n", "\n").replace("%%", "%").split("\n", -1)))
                .toList();
    }

    private static String quoted(String value) {
        return "\"" + value.replace("\"", "") + "\"";
    }

    /** Text as troff takes it: no request at the start of a line, no escape, a hyphen that can be searched for. */
    private static String text(String line) {
        String escaped = line.replace("\\", "\\e").replace("-", "\\-");
        return escaped.startsWith(".") || escaped.startsWith("'") ? "\\&" + escaped : escaped;
    }
}
