package io.leapnbd.tools.config;

import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * A configuration file that was read: TOML with the sections {@code [donor]}, {@code [serve]} and {@code [attach]}. A table inside of the last two is an
 * instance, like {@code [serve.swap]}; whatever else is inside of them is a value, and counts for all instances. What keys mean
 * is not known here, nor whether they are right.
 *
 * @param path of the file
 * @param sections by name; only those that the file has
 */
public record ConfigFile(Path path, Map<String, Section> sections) {

    /** Where it is unless somebody says otherwise. */
    public static final Path USUAL = Path.of("/etc/leap-nbd/leap-nbd.toml");

    /** Sections, which are commands. */
    static final List<String> SECTIONS = List.of("donor", "serve", "attach");

    /** Those of them that have instances. */
    static final Set<String> WITH_INSTANCES = Set.of("serve", "attach");

    /**
     * A value.
     *
     * @param value a String, Long, Boolean, or a List of them; anything else is an object whose text says what it is
     * @param line in the file, from one
     */
    record Value(Object value, int line) {}

    /**
     * A section or an instance.
     *
     * @param values by their keys
     * @param instances by their names; empty for an instance
     * @param line of its heading
     */
    record Section(Map<String, Value> values, Map<String, Section> instances, int line) {}

    /** What a key has been given that is no value: {@code what}, like "a date". */
    record Unfit(String what) {
        @Override
        public String toString() {
            return what;
        }
    }
}
