package io.leapnbd.tools.config;

import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine;
import picocli.CommandLine.Model.ArgSpec;
import picocli.CommandLine.Model.CommandSpec;

/** A file of settings to begin with, made from the commands' own options, so that it names those that there are. */
final class ConfigExample {

    private static final int WIDTH = 100;

    private static final String HEAD = """
            # Settings of leap-nbd on this machine. 'leap-nbd config check' checks them, and 'leap-nbd config show --origin' says
            # what is in force and why. An option on the command line counts before this file, and so does a variable of the
            # environment, like LEAP_NBD_SERVE_CACHE_SIZE. 'leap-nbd reload' has a running server read the file again.
            #
            # No secret is written here: settings name the files that hold secrets, which only their user may read.
            """;

    private static final Map<String, String> ABOUT = Map.of(
            "donor",
            "What this machine lends: leap-nbd donor.",
            "serve",
            "Servers: leap-nbd serve. What is here counts for all of them. Settings of one are in a section of its own, and"
                    + " 'leap-nbd serve --instance swap' starts it:",
            "attach",
            "What swaps on them: leap-nbd attach. What is here counts for all, and [attach.swap] for 'leap-nbd attach"
                    + " --instance swap', which finds the server of that name by itself.");

    private static final String INSTANCE = """
            #
            #   [serve.swap]
            #   donors = ["10.0.0.2", "10.0.0.3"]
            #   size = "12G"
            """;

    private final Function<String, CommandLine> commands;

    ConfigExample(Function<String, CommandLine> commands) {
        this.commands = commands;
    }

    /** The file. */
    String text() {
        StringBuilder out = new StringBuilder(HEAD);
        for (String section : ConfigFile.SECTIONS) {
            CommandSpec command =
                    Configured.command(commands.apply(section), section).getCommandSpec();
            out.append('\n');
            comment(out, ABOUT.get(section));
            if (section.equals("serve")) {
                out.append(INSTANCE);
            }
            out.append('[').append(section).append("]\n");
            ConfigOptions options = ConfigOptions.of(command);
            Keys keys = new Keys(command, options == null ? Set.of() : options.once());
            for (String key : keys.all()) {
                ArgSpec argument = keys.argument(key);
                if (argument != null) {
                    out.append('\n');
                    comment(out, String.join(" ", List.of(argument.description())));
                    out.append("# ")
                            .append(ConfigText.line(key, argument, ConfigText.example(key, argument)))
                            .append('\n');
                }
            }
        }
        return out.toString();
    }

    private static void comment(StringBuilder out, @Nullable String text) {
        StringBuilder line = new StringBuilder("#");
        for (String word : String.valueOf(text).split("\\s+", -1)) {
            if (line.length() + 1 + word.length() > WIDTH) {
                out.append(line).append('\n');
                line.setLength(1);
            }
            line.append(' ').append(word);
        }
        out.append(line).append('\n');
    }
}
