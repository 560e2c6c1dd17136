package io.leapnbd.tools.config;

import io.leapnbd.tools.cli.CommandFailure;
import io.leapnbd.tools.cli.CommonOptions;
import io.leapnbd.tools.cli.LogOptions;
import io.leapnbd.tools.cli.OneLineErrors;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.Supplier;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import picocli.CommandLine;
import picocli.CommandLine.Model.ArgSpec;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.ParameterException;

/**
 * Reads the settings of a running command again. What changed there and can change while it runs is in force afterwards; what
 * needs a restart is named; and settings with something wrong in them change nothing. What {@code leap-nbd set} has changed stays, unless the file
 * has another value than when it was last read. Any thread.
 */
public final class Reload {

    private static final Logger log = LoggerFactory.getLogger(Reload.class);

    /** Files of certificates and the like that were read again. */
    public interface Use {

        /** Uses them from now on; says what was read, in a few words. It cannot fail. */
        String use();

        /** Forgets them. */
        void discard();
    }

    /** Reads such files again. */
    @FunctionalInterface
    public interface Reread {

        /**
         * Reads all of one kind; nothing changes yet.
         *
         * @throws IOException in one sentence, if something is wrong
         */
        Use read() throws IOException;
    }

    private final List<Reread> files = new ArrayList<>();
    private final CommandSpec running;
    private final List<String> typed;
    private final ConfigSource source;
    private final Supplier<? extends Configurable> fresh;
    private final Set<String> live;
    private final @Nullable Path path;
    private final @Nullable String instance;

    /** Of each key what it had when it was last taken over; a key that nobody has set has none, or its default. */
    private Map<String, List<String>> inForce;

    private @Nullable Change change;

    /** Makes changes. */
    @FunctionalInterface
    public interface Change {

        /**
         * Makes all of them, or none.
         *
         * @param changed texts by key, of those that have others than before and can change while the command runs; a key without
         *     texts is not set any more
         * @param read the command with the settings as they are now
         * @throws IllegalArgumentException in one sentence, if one of them is wrong
         */
        void make(Map<String, List<String>> changed, Configurable read);
    }

    /**
     * Of a command that starts, with its settings as they are now.
     *
     * @param fresh makes another one, to read into
     * @param live keys that can change while it runs, beside those of the log
     */
    public Reload(CommandSpec running, Supplier<? extends Configurable> fresh, Set<String> live) {
        this(running, ConfigSource.here(), fresh, live);
    }

    Reload(CommandSpec running, ConfigSource source, Supplier<? extends Configurable> fresh, Set<String> live) {
        this.running = running;
        this.source = source;
        this.fresh = fresh;
        this.live = live;
        ConfigOptions options = ConfigOptions.of(running);
        Configuration known = options == null ? null : options.configuration();
        typed = options == null ? List.of() : options.typed(running);
        path = known == null ? null : known.path();
        instance = known == null ? null : known.instance();
        inForce = path == null ? Map.of() : effective(running);
    }

    /** The file; null if the command has none. */
    public @Nullable Path path() {
        return path;
    }

    /** The instance; null for none. */
    public @Nullable String instance() {
        return instance;
    }

    /** Says who makes changes. Before that nothing is read again. */
    public synchronized void changeBy(Change maker) {
        change = maker;
    }

    /** Has these files read again too, whether there is a file of settings or not. */
    public synchronized void rereads(Reread more) {
        files.add(more);
    }

    /** What was to be read again is not there any more: a start begins anew. */
    public synchronized void forget() {
        files.clear();
        change = null;
    }

    /**
     * Does it.
     *
     * @return what is in force now, and what needs a restart, in a sentence
     * @throws IllegalArgumentException in a sentence, if something is wrong; then nothing has changed
     * @throws NothingToReadException if there are no such files
     */
    public synchronized String run() {
        List<Use> read = new ArrayList<>();
        boolean whole = false;
        try {
            for (Reread one : files) {
                read.add(one.read());
            }
            String settings = path == null && !read.isEmpty() ? "" : runSettings();
            whole = true;
            List<String> said = new ArrayList<>();
            if (!settings.isEmpty()) {
                said.add(settings);
            }
            if (!read.isEmpty()) {
                said.add("read again: " + read.stream().map(Use::use).collect(Collectors.joining(", ")));
            }
            return String.join("; ", said);
        } catch (IOException e) {
            throw new IllegalArgumentException("everything stays as it is: " + e.getMessage(), e);
        } finally {
            if (!whole) {
                read.forEach(Use::discard);
            }
        }
    }

    private String runSettings() {
        Path file = path;
        Change maker = change;
        if (file == null) {
            throw new NothingToReadException(
                    "this process reads no file of settings, so there is nothing to read again; 'leap-nbd set' changes"
                            + " some settings");
        }
        if (maker == null) {
            throw new IllegalArgumentException("this process still starts; try again in a moment");
        }
        if (!Files.exists(file)) {
            throw new IllegalArgumentException(file + " is gone, and everything stays as it is; put it back");
        }
        CommandSpec read;
        try {
            read = read();
        } catch (ConfigException e) {
            throw new IllegalArgumentException("everything stays as it is: " + e.getMessage(), e);
        }
        Map<String, List<String>> wanted = effective(read);
        Map<String, List<String>> changes = new LinkedHashMap<>();
        List<String> now = new ArrayList<>();
        List<String> later = new ArrayList<>();
        Map<String, List<String>> taken = new LinkedHashMap<>(inForce);
        for (Map.Entry<String, List<String>> one : wanted.entrySet()) {
            String key = one.getKey();
            if (one.getValue().equals(inForce.get(key))) {
                continue;
            }
            if (LogOptions.KEYS.contains(key)) {
                now.add(key);
                taken.put(key, one.getValue());
            } else if (live.contains(key)) {
                changes.put(key, one.getValue());
                now.add(key);
                taken.put(key, one.getValue());
            } else {
                later.add(key);
            }
        }
        try {
            if (read.userObject() instanceof Configurable other) {
                maker.make(changes, other);
            }
        } catch (IllegalArgumentException e) {
            String why = String.valueOf(e.getMessage());
            boolean named = changes.keySet().stream().anyMatch(key -> why.startsWith(key + ": "));
            throw new IllegalArgumentException(
                    "everything stays as it is: " + Configured.explain(read.commandLine(), named ? "--" + why : why),
                    e);
        }
        if (now.stream().anyMatch(LogOptions.KEYS::contains)) {
            LogOptions.applyAll(read.commandLine().getParseResult());
        }
        inForce = taken;
        return file
                + (now.isEmpty() ? "" : ": in force now: " + String.join(", ", now))
                + (later.isEmpty()
                        ? ""
                        : (now.isEmpty() ? ": " : "; ") + "after a restart: " + String.join(", ", later))
                + (now.isEmpty() && later.isEmpty() ? " has nothing new" : "");
    }

    /** As {@link #run}, for a signal: what comes of it is a line in the log. */
    public void runAndTell() {
        if (path == null && !hasFiles()) {
            log.info("hang-up: this process stays; SIGTERM ends it");
            return;
        }
        try {
            log.info("hang-up: {}", run());
        } catch (IllegalArgumentException e) {
            log.warn("hang-up: {}", e.getMessage());
        } catch (RuntimeException e) {
            log.error("hang-up: everything stays as it is, by a defect", e);
        }
    }

    private synchronized boolean hasFiles() {
        return !files.isEmpty();
    }

    private CommandSpec read() throws ConfigException {
        CommandLine root = new CommandLine(CommandSpec.create().name("leap-nbd"));
        root.addSubcommand(fresh.get());
        CommonOptions.addTo(root);
        root.setCaseInsensitiveEnumValuesAllowed(true);
        CommandLine command = Configured.command(root, running.name());
        try {
            root.parseArgs(typed.toArray(String[]::new));
            Configuration known = Configured.load(command, typed, source);
            LogOptions.check(root.parseArgs(known.arguments().toArray(String[]::new)));
            if (command.getCommandSpec().userObject() instanceof Configurable configurable) {
                configurable.check();
            }
            return command.getCommandSpec();
        } catch (ParameterException e) {
            throw new ConfigException(Configured.explain(command, OneLineErrors.sentence(e)));
        } catch (CommandFailure e) {
            throw new ConfigException(Configured.explain(command, String.valueOf(e.getMessage())));
        }
    }

    /** What each key has: what was said, else its default, else nothing. */
    private static Map<String, List<String>> effective(CommandSpec command) {
        ConfigOptions options = ConfigOptions.of(command);
        Configuration known = options == null ? null : options.configuration();
        Keys keys = new Keys(command, options == null ? Set.of() : options.once());
        Map<String, List<String>> all = new LinkedHashMap<>();
        for (String key : keys.all()) {
            Setting setting = known == null ? null : known.setting(key);
            ArgSpec argument = keys.argument(key);
            List<String> usual = argument == null ? null : ConfigText.usual(argument);
            all.put(key, setting != null ? setting.texts() : usual == null ? List.of() : usual);
        }
        return all;
    }
}
