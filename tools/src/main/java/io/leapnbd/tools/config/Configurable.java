package io.leapnbd.tools.config;

import java.util.List;
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
     * Reads the files of certificates, keys and tokens that a start reads, and keeps nothing of them.
     *
     * @return of each that is not in order a sentence, which begins with the option: {@code --pool: …}
     */
    default List<String> unfitFiles() {
        return List.of();
    }

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
