package io.leapnbd.tools.config;

import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Option;

/** As {@link ConfigOptions}, of a command that has instances. */
public final class InstanceOptions extends ConfigOptions {

    @Option(
            names = "--instance",
            paramLabel = "NAME",
            description =
                    "Which of several on this machine: its settings are in [serve.NAME] and [attach.NAME] of the file, and those of"
                            + " [serve] and [attach] beside them.")
    private @Nullable String instance;

    /** For a command; {@code once} as in {@link ConfigOptions}. */
    public InstanceOptions(String... once) {
        super(once);
    }

    @Override
    public @Nullable String instance() {
        return instance;
    }
}
