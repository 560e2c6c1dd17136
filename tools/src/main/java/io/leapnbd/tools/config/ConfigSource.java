package io.leapnbd.tools.config;

import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * Where settings come from beside the command line.
 *
 * @param environment of the process
 * @param usual the file that is read if nobody names another, and if it is there
 */
public record ConfigSource(Map<String, String> environment, Path usual) {

    /** The variable that names the file. */
    public static final String VARIABLE = "LEAP_NBD_CONFIG";

    private static final String NONE = "none";

    /** This process's own. */
    public static ConfigSource here() {
        return new ConfigSource(System.getenv(), ConfigFile.USUAL);
    }

    /**
     * The file that is read.
     *
     * @param option what {@code --config} says; null if it was not given
     * @return null for none
     */
    @Nullable
    Path file(@Nullable String option) {
        String variable = environment.get(VARIABLE);
        String named = option != null ? option : variable == null || variable.isEmpty() ? null : variable;
        if (named == null) {
            // A link that leads nowhere is no absence: whoever made it meant some file.
            return Files.notExists(usual, LinkOption.NOFOLLOW_LINKS) ? null : usual;
        }
        return named.equals(NONE) ? null : Path.of(named);
    }
}
