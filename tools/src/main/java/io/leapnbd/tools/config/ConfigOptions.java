package io.leapnbd.tools.config;

import java.util.List;
import java.util.Set;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;

/** The option of a command about its configuration file, and what came of it. */
public class ConfigOptions {

    /** The name of the mixin, by which it is found. */
    static final String MIXIN = "config";

    @Option(
            names = "--config",
            paramLabel = "FILE",
            description = "The file of settings; none reads none. Default: $LEAP_NBD_CONFIG, else"
                    + " /etc/leap-nbd/leap-nbd.toml if it is there. Options count before the file.")
    @SuppressWarnings("UnusedVariable") // read from what was typed, before options are
    private @Nullable String config;

    private final Set<String> once;
    private @Nullable Configuration loaded;

    /**
     * For a command.
     *
     * @param once names of options that are for one start, and so for no file
     */
    public ConfigOptions(String... once) {
        this.once = Set.of(once);
    }

    /** Names of options that are for one start. */
    Set<String> once() {
        return once;
    }

    void loaded(@Nullable Configuration configuration) {
        loaded = configuration;
    }

    /** What was said in which place; null if there is neither file nor variable, and no instance. */
    public @Nullable Configuration configuration() {
        return loaded;
    }

    /** The instance that is started; null for none. */
    public @Nullable String instance() {
        return null;
    }

    /** What was typed, the command first, without what came from elsewhere. */
    public List<String> typed(CommandSpec command) {
        Configuration known = loaded;
        return known == null ? command.root().commandLine().getParseResult().originalArgs() : known.typed();
    }

    /** Of a command; null if it has none. */
    static @Nullable ConfigOptions of(CommandSpec command) {
        CommandSpec mixin = command.mixins().get(MIXIN);
        return mixin != null && mixin.userObject() instanceof ConfigOptions options ? options : null;
    }
}
