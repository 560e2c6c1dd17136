package io.leapnbd.tools.config;

import io.leapnbd.tools.cli.NearestName;
import io.leapnbd.tools.config.ConfigFile.Section;
import io.leapnbd.tools.config.ConfigFile.Unfit;
import io.leapnbd.tools.config.ConfigFile.Value;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Model.ArgSpec;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Model.OptionSpec;
import picocli.CommandLine.Model.PositionalParamSpec;
import picocli.CommandLine.ParseResult;

/**
 * All that was said to one run of a command: on its command line, in the environment and in the file, key by key, whoever counts
 * first. Immutable.
 */
public final class Configuration {

    /** The level of the log has had a variable of its own for longer. */
    private static final String LOG_LEVEL = "log-level";

    private static final String LOG_VARIABLE = "LEAP_NBD_LOG";

    private final List<String> typed;
    private final String command;
    private final @Nullable String instance;
    private final @Nullable ConfigFile file;
    private final Map<String, Setting> settings = new LinkedHashMap<>();
    private final Keys keys;
    private final List<String> problems = new ArrayList<>();

    /**
     * Of a command that was parsed.
     *
     * @param typed what was typed, the command first
     * @param spec of the command
     * @param given what was typed, as its options have it
     * @param options its file and instance
     * @param file null for none
     * @throws ConfigException if what the environment or the file says is wrong
     */
    Configuration(
            List<String> typed,
            CommandSpec spec,
            ParseResult given,
            ConfigOptions options,
            Map<String, String> environment,
            @Nullable ConfigFile file)
            throws ConfigException {
        this.typed = List.copyOf(typed);
        this.file = file;
        command = spec.name();
        instance = options.instance();
        keys = new Keys(spec, options.once());
        for (String key : keys.all()) {
            ArgSpec argument = known(key);
            if (argument instanceof OptionSpec option && given.hasMatchedOption(option)) {
                add(key, given.matchedOption(option.longestName()).originalStringValues(), flag(option));
            } else if (argument instanceof PositionalParamSpec parameter && given.hasMatchedPositional(parameter)) {
                add(key, parameter.originalStringValues(), new Origin(Origin.Kind.FLAG, "command line", key));
            }
        }
        if (given.hasMatchedOption("--verbose")) {
            add(LOG_LEVEL, List.of("debug"), new Origin(Origin.Kind.FLAG, "command line", "--verbose"));
        }
        addEnvironment(environment);
        if (file != null) {
            addFile(file);
        } else if (instance != null) {
            problems.add("--instance " + instance + ": there is no file of settings; write " + ConfigFile.USUAL
                    + ", or name one with --config");
        }
        if (!problems.isEmpty()) {
            throw new ConfigException(problems);
        }
        if (instance != null && spec.userObject() instanceof Configurable configurable) {
            Origin natural = new Origin(Origin.Kind.INSTANCE, "instance " + instance, "--instance " + instance);
            configurable.defaultsOf(instance, this).forEach((key, text) -> add(key, List.of(text), natural));
        }
    }

    private static Origin flag(OptionSpec option) {
        return new Origin(Origin.Kind.FLAG, "command line", option.longestName());
    }

    /** The first that says something counts. */
    private void add(String key, List<String> texts, Origin origin) {
        settings.putIfAbsent(key, new Setting(key, List.copyOf(texts), origin));
    }

    private ArgSpec known(String key) {
        ArgSpec argument = keys.argument(key);
        if (argument == null) {
            throw new IllegalArgumentException(command + " has no setting " + key);
        }
        return argument;
    }

    private void addEnvironment(Map<String, String> environment) {
        for (Map.Entry<String, String> variable : new TreeMap<>(environment).entrySet()) {
            if (!variable.getKey().startsWith(keys.variables())) {
                continue;
            }
            String key = keys.key(variable.getKey());
            ArgSpec argument = keys.argument(key);
            String text = variable.getValue();
            Origin origin = new Origin(Origin.Kind.ENVIRONMENT, variable.getKey(), variable.getKey());
            if (argument == null || !keys.variable(key).equals(variable.getKey())) {
                problems.add(variable.getKey() + ": " + keys.complaint(key));
            } else if (Keys.isFlag(argument) && !text.equals("true") && !text.equals("false")) {
                problems.add(variable.getKey() + "=" + text + ": it is true or false");
            } else {
                add(key, Keys.isRepeated(argument) ? List.of(text.split(",")) : List.of(text), origin);
            }
        }
        String level = environment.get(LOG_VARIABLE);
        if (level != null && keys.argument(LOG_LEVEL) != null) {
            add(LOG_LEVEL, List.of(level), new Origin(Origin.Kind.ENVIRONMENT, LOG_VARIABLE, LOG_VARIABLE));
        }
    }

    private void addFile(ConfigFile from) {
        Section section = from.sections().get(command);
        if (instance != null) {
            Section own = section == null ? null : section.instances().get(instance);
            if (own != null) {
                addSection(from.path(), "[" + command + "." + instance + "]", own);
            } else if (!isNamedElsewhere(from, instance)) {
                String hint = NearestName.hint(
                        instance,
                        section == null ? List.of() : section.instances().keySet());
                problems.add(from.path() + " has no [" + command + "." + instance + "]"
                        + (hint.isEmpty() ? "; write that section, if only its heading" : hint));
            }
        }
        if (section != null) {
            addSection(from.path(), "[" + command + "]", section);
        }
    }

    /** What attaches an instance needs no section of its own where there is one of the server. */
    private boolean isNamedElsewhere(ConfigFile from, String name) {
        Section server = from.sections().get("serve");
        return command.equals("attach") && server != null && server.instances().containsKey(name);
    }

    private void addSection(Path path, String heading, Section section) {
        section.values().forEach((key, value) -> {
            String place = path + ":" + value.line();
            Origin origin = new Origin(Origin.Kind.FILE, place, heading + " " + key);
            ArgSpec argument = keys.argument(key);
            String wrong = argument == null ? keys.complaint(key) : complaint(key, argument, value.value());
            if (wrong != null) {
                problems.add(place + ": " + origin.name() + ": " + wrong);
            } else if (argument != null) {
                add(key, texts(argument, value), origin);
            }
        });
    }

    private static @Nullable String complaint(String key, ArgSpec argument, Object value) {
        if (Keys.isFlag(argument)) {
            return value instanceof Boolean ? null : "it is true or false, without quotes";
        }
        return switch (value) {
            case Unfit unfit -> unfit + " is no value here; write " + example(key, argument);
            case Boolean bool -> bool + " is no value here; write " + example(key, argument);
            case List<?> list
            when !Keys.isRepeated(argument) && !Keys.isList(argument) ->
                "it has one value, and here are " + list.size() + " in brackets; write " + example(key, argument);
            case List<?> list when list.isEmpty() -> "the list is empty; leave the line out, or name something";
            case List<?> list
            when list.stream().anyMatch(one -> !(one instanceof String)) ->
                "all in the list have to be in quotes; write " + example(key, argument);
            default -> null;
        };
    }

    /** How a value of it is written. */
    static String example(String key, ArgSpec argument) {
        String text = '"' + argument.paramLabel() + '"';
        return key + " = " + (Keys.isRepeated(argument) || Keys.isList(argument) ? "[" + text + "]" : text);
    }

    private static List<String> texts(ArgSpec argument, Value value) {
        if (value.value() instanceof List<?> list) {
            List<String> texts = list.stream().map(String::valueOf).toList();
            return Keys.isList(argument) ? List.of(String.join(",", texts)) : texts;
        }
        return List.of(value.value().toString());
    }

    /** What was typed, the command first. */
    public List<String> typed() {
        return typed;
    }

    /** The command. */
    public String command() {
        return command;
    }

    /** The instance; null for none. */
    public @Nullable String instance() {
        return instance;
    }

    /** The file that was read; null for none. */
    public @Nullable Path path() {
        return file == null ? null : file.path();
    }

    /** What was said about a key; null if nothing was. */
    public @Nullable Setting setting(String key) {
        return settings.get(key);
    }

    /** All that was said, by key. */
    public Map<String, Setting> settings() {
        return Map.copyOf(settings);
    }

    /** What another section of the file says, as texts; empty if it does not. */
    public List<String> elsewhere(String section, String name, String key) {
        Section of = file == null ? null : file.sections().get(section);
        Section own = of == null ? null : of.instances().get(name);
        for (Section one : own == null || of == null ? List.<Section>of() : List.of(own, of)) {
            Value value = one.values().get(key);
            if (value != null) {
                return value.value() instanceof List<?> list
                        ? list.stream().map(String::valueOf).toList()
                        : List.of(value.value().toString());
            }
        }
        return List.of();
    }

    /** A command line that says all of it. */
    List<String> arguments() {
        List<String> arguments = new ArrayList<>();
        List<String> parameters = new ArrayList<>();
        arguments.add(typed.getFirst());
        for (Setting setting : settings.values()) {
            ArgSpec argument = known(setting.key());
            if (setting.origin().kind() == Origin.Kind.FLAG) {
                continue;
            }
            if (!(argument instanceof OptionSpec option)) {
                parameters.addAll(setting.texts());
            } else if (Keys.isFlag(argument)) {
                if (setting.texts().getFirst().equals("true")) {
                    arguments.add(option.longestName());
                }
            } else {
                setting.texts().forEach(text -> arguments.add(option.longestName() + "=" + text));
            }
        }
        arguments.addAll(typed.subList(1, typed.size()));
        arguments.addAll(parameters);
        return arguments;
    }
}
