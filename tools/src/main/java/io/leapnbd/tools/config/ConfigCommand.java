package io.leapnbd.tools.config;

import io.leapnbd.tools.cli.CommandFailure;
import io.leapnbd.tools.cli.ExitCode;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import java.util.function.Function;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.ArgSpec;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** {@code leap-nbd config}. */
@Command(
        name = "config",
        synopsisSubcommandLabel = "COMMAND",
        description = {
            "The file of settings of this machine, "
                    + "/etc/leap-nbd/leap-nbd.toml: checks it, shows what is in force, prints an" + " example.",
            "",
            "A setting counts from the first of these places that has it: an option on the command line; a variable like"
                    + " LEAP_NBD_SERVE_CACHE_SIZE; the instance's section, [serve.NAME]; the command's section, [serve]; the default."
        })
public final class ConfigCommand implements Runnable {

    private final Function<String, CommandLine> commands;

    @Spec
    private CommandSpec spec = CommandSpec.create();

    /**
     * For picocli.
     *
     * @param commands makes the root of a command line that has one command, by its name
     */
    public ConfigCommand(Function<String, CommandLine> commands) {
        this.commands = commands;
    }

    @Override
    public void run() {
        throw new ParameterException(
                spec.commandLine(),
                "say 'leap-nbd config check', 'config show' or 'config example'; --help tells more");
    }

    @Command(
            name = "check",
            description = {
                "Checks a file of settings as the commands do, and starts nothing. Every problem is a line with its place; then the exit"
                        + " code is 2.",
                "",
                "Files that settings name are looked at too, so run it on the machine and as the user that the commands run as."
            })
    int check(
            @Parameters(
                            arity = "0..1",
                            paramLabel = "FILE",
                            description = "Default: $LEAP_NBD_CONFIG, else /etc/leap-nbd/leap-nbd.toml.")
                    @Nullable
                    Path named) {
        Set<String> problems = new LinkedHashSet<>();
        try {
            ConfigFile file = ConfigReader.read(file(named));
            List<ConfigTarget> targets = ConfigTarget.all(file);
            targets.forEach(target -> problems.addAll(target.problems(commands, file)));
            if (problems.isEmpty()) {
                print(file.path() + ": ok: "
                        + (targets.isEmpty()
                                ? "it says nothing"
                                : targets.stream()
                                        .map(target -> "[" + target.name() + "]")
                                        .collect(Collectors.joining(", "))));
                return ExitCode.OK;
            }
        } catch (ConfigException e) {
            problems.addAll(e.problems());
        }
        PrintWriter err = spec.commandLine().getErr();
        problems.forEach(problem -> err.println("leap-nbd config check: " + problem));
        return ExitCode.USAGE;
    }

    @Command(
            name = "show",
            description = {
                "Prints the settings that a command would have if it were started now, with this shell's environment. Without a"
                        + " command it prints those of all sections. What is not printed depends on the machine; 'leap-nbd serve"
                        + " --help' says on what."
            })
    int show(
            @Option(names = "--origin", description = "Say behind each where it comes from.") boolean origin,
            @Option(
                            names = "--config",
                            paramLabel = "FILE",
                            description = "Default: $LEAP_NBD_CONFIG, else /etc/leap-nbd/leap-nbd.toml.")
                    @Nullable
                    Path named,
            @Parameters(arity = "0..1", index = "0", paramLabel = "COMMAND", description = "donor, serve or attach.")
                    @Nullable
                    String command,
            @Parameters(arity = "0..1", index = "1", paramLabel = "NAME", description = "The instance.") @Nullable
                    String instance) {
        if (command != null && !ConfigFile.SECTIONS.contains(command)) {
            throw new ParameterException(
                    spec.commandLine(), "'" + command + "' has no settings in a file; name donor, serve or attach");
        }
        try {
            ConfigFile file = ConfigReader.read(file(named));
            List<ConfigTarget> targets =
                    command == null ? ConfigTarget.all(file) : List.of(new ConfigTarget(command, instance));
            StringBuilder out = new StringBuilder();
            for (ConfigTarget target : targets) {
                out.append(out.isEmpty() ? "" : "\n")
                        .append('[')
                        .append(target.name())
                        .append("]\n");
                show(out, target.load(commands, file, System.getenv()), origin);
            }
            print(out.toString().stripTrailing());
            return ExitCode.OK;
        } catch (ConfigException e) {
            throw new CommandFailure(ExitCode.USAGE, String.valueOf(e.getMessage()), e);
        }
    }

    private static void show(StringBuilder out, CommandLine line, boolean origin) {
        ConfigOptions options = ConfigOptions.of(line.getCommandSpec());
        Configuration known = options == null ? null : options.configuration();
        if (options == null || known == null) {
            return;
        }
        Keys keys = new Keys(line.getCommandSpec(), options.once());
        List<String> lines = new ArrayList<>();
        List<String> origins = new ArrayList<>();
        for (String key : keys.all()) {
            ArgSpec argument = keys.argument(key);
            Setting setting = known.setting(key);
            List<String> usual = argument == null ? null : ConfigText.usual(argument);
            if (argument != null && setting != null) {
                lines.add(ConfigText.line(key, argument, setting.texts()));
                origins.add(setting.origin().place());
            } else if (argument != null && usual != null) {
                lines.add(ConfigText.line(key, argument, usual));
                origins.add("default");
            }
        }
        int width = lines.stream().mapToInt(String::length).max().orElse(0);
        for (int i = 0; i < lines.size(); i++) {
            out.append(lines.get(i));
            if (origin) {
                out.repeat(' ', width - lines.get(i).length()).append("  # ").append(origins.get(i));
            }
            out.append('\n');
        }
    }

    @Command(
            name = "example",
            description = {
                "Prints a file of settings to begin with: every setting of donor, serve and attach with what it is for, each behind a"
                        + " '#'. Remove that where you want another value."
            })
    int example() {
        print(new ConfigExample(commands).text().stripTrailing());
        return ExitCode.OK;
    }

    private Path file(@Nullable Path named) throws ConfigException {
        Path path = ConfigSource.here().file(named == null ? null : named.toString());
        if (path == null) {
            throw new ConfigException("there is no file of settings; write " + ConfigFile.USUAL
                    + " ('leap-nbd config example' prints one to begin with), or name one");
        }
        return path;
    }

    private void print(String text) {
        PrintWriter out = spec.commandLine().getOut();
        out.println(text);
        out.flush();
    }
}
