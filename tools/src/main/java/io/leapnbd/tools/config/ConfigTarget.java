package io.leapnbd.tools.config;

import io.leapnbd.tools.cli.CommandFailure;
import io.leapnbd.tools.cli.LogOptions;
import io.leapnbd.tools.cli.OneLineErrors;
import io.leapnbd.tools.config.ConfigFile.Section;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine;
import picocli.CommandLine.ParameterException;

/**
 * What a section of a file is for: a command, and perhaps an instance of it.
 *
 * @param command its name
 * @param instance null for none
 */
record ConfigTarget(String command, @Nullable String instance) {

    /** All that a file has sections for: a section with instances is shared by them, and is started itself only where there are none. */
    static List<ConfigTarget> all(ConfigFile file) {
        List<ConfigTarget> targets = new ArrayList<>();
        for (Map.Entry<String, Section> section : file.sections().entrySet()) {
            targets.add(new ConfigTarget(section.getKey(), null));
            for (String instance : section.getValue().instances().keySet()) {
                targets.add(new ConfigTarget(section.getKey(), instance));
            }
        }
        return targets;
    }

    /** As a section's heading has it. */
    String name() {
        return instance == null ? command : command + "." + instance;
    }

    /** The command line that starts it. */
    List<String> typed() {
        return instance == null ? List.of(command) : List.of(command, "--instance=" + instance);
    }

    /**
     * Reads what is said to it.
     *
     * @param commands makes the root of a command line that has one command, by its name
     * @return the command's line, parsed as it would be when it is started
     * @throws ConfigException if something is wrong with a setting by itself
     */
    CommandLine load(Function<String, CommandLine> commands, ConfigFile file, Map<String, String> environment)
            throws ConfigException {
        CommandLine root = commands.apply(command);
        CommandLine line = Configured.command(root, command);
        try {
            root.parseArgs(typed().toArray(String[]::new));
            Configuration known = Configured.load(line, typed(), file, environment);
            // All that is wrong is said at once, not only the first of it.
            line.getCommandSpec().parser().collectErrors(true);
            root.parseArgs(known.arguments().toArray(String[]::new));
        } catch (ParameterException e) {
            throw new ConfigException(Configured.explain(line, OneLineErrors.sentence(e)));
        }
        List<String> wrong = new ArrayList<>();
        for (Exception error : line.getParseResult().errors()) {
            wrong.add(Configured.explain(
                    line,
                    error instanceof ParameterException known
                            ? OneLineErrors.sentence(known)
                            : OneLineErrors.describe(error)));
        }
        if (!wrong.isEmpty()) {
            throw new ConfigException(wrong);
        }
        return line;
    }

    /** What is wrong with it, each a sentence with its place; nothing is started. */
    List<String> problems(Function<String, CommandLine> commands, ConfigFile file) {
        CommandLine line;
        try {
            line = load(commands, file, Map.of());
        } catch (ConfigException e) {
            return e.problems();
        }
        // A file may be complained of twice, in the same words.
        Set<String> wrong = new LinkedHashSet<>();
        try {
            LogOptions.check(line.getParseResult());
            if (isStarted(file) && line.getCommandSpec().userObject() instanceof Configurable configurable) {
                configurable.unfitFiles().forEach(one -> wrong.add(placed(line, file, one)));
                configurable.check();
            }
        } catch (ParameterException e) {
            wrong.add(placed(line, file, OneLineErrors.sentence(e)));
        } catch (CommandFailure e) {
            wrong.add(placed(line, file, String.valueOf(e.getMessage())));
        }
        return List.copyOf(wrong);
    }

    /** Whether it is complete: a heading alone says nothing yet, and a section with instances is for them. */
    private boolean isStarted(ConfigFile file) {
        Section section = file.sections().get(command);
        return section != null
                && (instance != null
                        || (section.instances().isEmpty() && !section.values().isEmpty()));
    }

    private String placed(CommandLine line, ConfigFile file, String sentence) {
        ConfigOptions options = ConfigOptions.of(line.getCommandSpec());
        Keys keys = new Keys(line.getCommandSpec(), options == null ? Set.of() : options.once());
        String explained = Configured.explain(line, sentence);
        if (!explained.equals(sentence)) {
            return keys.asInFile(explained);
        }
        Section section = file.sections().get(command);
        Section own = section == null || instance == null
                ? section
                : section.instances().get(instance);
        return file.path() + ":" + (own == null ? 1 : own.line()) + ": [" + name() + "]: " + keys.asInFile(sentence);
    }
}
