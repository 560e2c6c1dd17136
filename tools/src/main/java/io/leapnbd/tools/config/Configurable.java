package io.leapnbd.tools.config;

import java.util.Map;

/** A command that the configuration file has a section for. */
public interface Configurable {

    /**
     * Checks its options together, as it does before it starts, and starts nothing.
     *
     * @throws RuntimeException as the command does, if something is wrong
     */
    void check();

    /**
     * What an instance has by its name where nobody has said otherwise.
     *
     * @param instance its name
     * @param known what has been said
     * @return texts by key
     */
    default Map<String, String> defaultsOf(String instance, Configuration known) {
        return Map.of();
    }
}
