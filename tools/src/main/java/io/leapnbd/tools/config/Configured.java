package io.leapnbd.tools.config;

import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.ParameterException;

/**
 * Runs commands with what the file and the environment say. Where neither says anything, nothing of this is done, and the classes that
 * read TOML are not loaded.
 */
public final class Configured {

    private static final Set<String> COMMANDS = Set.copyOf(ConfigFile.SECTIONS);
    private static final Pattern OPTION = Pattern.compile("--([a-z][a-z0-9-]*)\\b(?:: )?");

    private Configured() {}

    /**
     * Runs a command line and returns its exit code.
     *
     * @param commandLine the root
     * @param args what was typed
     */
    public static int execute(CommandLine commandLine, String[] args, ConfigSource source) {
        if (args.length == 0 || !COMMANDS.contains(args[0]) || isNothingSaid(args, source)) {
            return commandLine.execute(args);
        }
        try {
            commandLine.parseArgs(args);
        } catch (ParameterException e) {
            // It is reported when it comes again.
            return commandLine.execute(args);
        }
        CommandLine command = commandLine.getSubcommands().get(args[0]);
        if (command == null || command.isUsageHelpRequested() || commandLine.isUsageHelpRequested()) {
            return commandLine.execute(args);
        }
        try {
            Configuration known = load(command, List.of(args), source);
            return commandLine.execute(known.arguments().toArray(String[]::new));
        } catch (ConfigException e) {
            try {
                return commandLine
                        .getParameterExceptionHandler()
                        .handleParseException(new ParameterException(command, String.valueOf(e.getMessage())), args);
            } catch (RuntimeException f) {
                throw f;
            } catch (Exception f) {
                throw new IllegalStateException(f);
            }
        }
    }

    /**
     * Reads what is said to a command that was parsed, and hands it to its options.
     *
     * @param typed what was typed, the command first
     */
    static Configuration load(CommandLine command, List<String> typed, ConfigSource source) throws ConfigException {
        Path path = source.file(command.getParseResult().matchedOptionValue("--config", (String) null));
        return load(command, typed, path == null ? null : ConfigReader.read(path), source.environment());
    }

    /** As above, of a file that was read; null for none. */
    static Configuration load(
            CommandLine command, List<String> typed, @Nullable ConfigFile file, Map<String, String> environment)
            throws ConfigException {
        CommandSpec spec = command.getCommandSpec();
        ConfigOptions options = ConfigOptions.of(spec);
        if (options == null) {
            throw new ConfigException(spec.name() + " has no settings in a file");
        }
        Configuration known = new Configuration(typed, spec, command.getParseResult(), options, environment, file);
        options.loaded(known);
        return known;
    }

    /** The command of a root that has it. */
    static CommandLine command(CommandLine root, String name) {
        return Objects.requireNonNull(root.getSubcommands().get(name), name);
    }

    private static boolean isNothingSaid(String[] args, ConfigSource source) {
        String variables = "LEAP_NBD_" + args[0].toUpperCase(Locale.ROOT) + "_";
        for (String arg : args) {
            if (arg.startsWith("--config") || arg.startsWith("--instance")) {
                return false;
            }
        }
        return source.file(null) == null
                && source.environment().keySet().stream().noneMatch(name -> name.startsWith(variables));
    }

    /**
     * What a command complains of, with the place where that is written: a complaint about an option that nobody typed helps nobody.
     *
     * @param line a message that begins with an option's name, or does not
     */
    public static String explain(CommandLine command, String line) {
        ConfigOptions options = ConfigOptions.of(command.getCommandSpec());
        Configuration known = options == null ? null : options.configuration();
        if (known == null) {
            return line;
        }
        Matcher option = OPTION.matcher(line);
        if (option.lookingAt()) {
            Setting setting = known.setting(option.group(1));
            return setting == null ? line : placed(setting.origin(), line, option);
        }
        return line;
    }

    private static String placed(Origin origin, String line, Matcher option) {
        boolean colon = option.group().endsWith(": ");
        return switch (origin.kind()) {
            case FLAG, DEFAULT -> line;
            case ENVIRONMENT -> origin.place() + (colon ? ": " + line.substring(option.end()) : ": " + line);
            case FILE, INSTANCE ->
                origin.place() + ": " + (colon ? origin.name() + ": " + line.substring(option.end()) : line);
        };
    }

    /** The configuration of a command that runs; null for none. */
    public static @Nullable Configuration of(CommandSpec command) {
        ConfigOptions options = ConfigOptions.of(command);
        return options == null ? null : options.configuration();
    }
}
