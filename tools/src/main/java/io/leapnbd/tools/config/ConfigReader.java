package io.leapnbd.tools.config;

import io.leapnbd.tools.cli.NearestName;
import io.leapnbd.tools.cli.OneLineErrors;
import io.leapnbd.tools.config.ConfigFile.Section;
import io.leapnbd.tools.config.ConfigFile.Unfit;
import io.leapnbd.tools.config.ConfigFile.Value;
import io.leapnbd.tools.linux.PrivateFolder;
import java.io.IOException;
import java.nio.charset.CharacterCodingException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermission;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;
import org.tomlj.Toml;
import org.tomlj.TomlArray;
import org.tomlj.TomlParseError;
import org.tomlj.TomlParseResult;
import org.tomlj.TomlPosition;
import org.tomlj.TomlTable;

/** Reads configuration files. The only class, but for the one that changes them, that knows of TOML's parser. */
final class ConfigReader {

    private static final long LARGEST = 1 << 20;
    private static final Pattern INSTANCE = Pattern.compile("[A-Za-z0-9][A-Za-z0-9_.-]{0,63}");

    private ConfigReader() {}

    /**
     * Reads a file.
     *
     * @throws ConfigException if it cannot be read, others may change it, or it is no TOML of these sections
     */
    static ConfigFile read(Path path) throws ConfigException {
        return parse(path, text(path));
    }

    /** The text of a file that may be believed. */
    static String text(Path path) throws ConfigException {
        try {
            if (!Files.exists(path)) {
                throw new ConfigException(path + " does not exist; 'leap-nbd config example' prints one to begin with");
            }
            if (!Files.isRegularFile(path)) {
                throw new ConfigException(path + " is no file; name a file of settings");
            }
            if (Files.size(path) > LARGEST) {
                throw new ConfigException(path + " is larger than 1 MiB, so it is no file of settings; name another");
            }
            // From here on one file, wherever links lead meanwhile.
            Path real = path.toRealPath();
            Set<PosixFilePermission> rights = Files.getPosixFilePermissions(real, LinkOption.NOFOLLOW_LINKS);
            if (rights.contains(PosixFilePermission.OTHERS_WRITE)) {
                throw new ConfigException(path + " may be changed by everybody on this machine; chmod o-w " + path);
            }
            if (rights.contains(PosixFilePermission.GROUP_WRITE)) {
                throw new ConfigException(path + " may be changed by its group; chmod g-w " + path);
            }
            if (!PrivateFolder.isOwn(real)) {
                throw new ConfigException(
                        path + " belongs to another user, who could change what runs here; chown root " + path);
            }
            requireUnmovable(path, real);
            return Files.readString(real);
        } catch (CharacterCodingException e) {
            throw new ConfigException(path + " is not text in UTF-8; save it as such");
        } catch (IOException e) {
            throw new ConfigException(path + " cannot be read (" + OneLineErrors.describe(e)
                    + "); this user has to have the right to read it");
        }
    }

    /** Nobody else may put another file, or a link to one, in its place. */
    private static void requireUnmovable(Path path, Path real) throws ConfigException {
        try {
            PrivateFolder.requireUnmovable(path);
            PrivateFolder.requireUnmovable(real);
        } catch (IOException e) {
            throw new ConfigException(String.valueOf(e.getMessage()));
        }
    }

    /**
     * Reads a file's text.
     *
     * @param path for messages
     */
    static ConfigFile parse(Path path, String text) throws ConfigException {
        TomlParseResult result = Toml.parse(text);
        if (result.hasErrors()) {
            List<String> problems = new ArrayList<>();
            for (TomlParseError error : result.errors()) {
                problems.add(path + ":" + error.position().line() + ": " + sentence(String.valueOf(error.getMessage()))
                        + hint(text, error.position()));
            }
            throw new ConfigException(problems);
        }
        List<String> problems = new ArrayList<>();
        Map<String, Section> sections = new LinkedHashMap<>();
        for (String name : result.keySet()) {
            TomlTable table = table(result, name);
            int line = line(result, name);
            if (!ConfigFile.SECTIONS.contains(name)) {
                problems.add(path + ":" + line + ": there is no section [" + name + "]"
                        + or(NearestName.hint(name, ConfigFile.SECTIONS), "; there are [donor], [serve], [attach]"));
            } else if (table == null) {
                problems.add(path + ":" + line + ": " + name + " is a section; write [" + name
                        + "] on a line of its own, and its settings below");
            } else {
                sections.put(name, section(path, name, table, line, problems));
            }
        }
        if (!problems.isEmpty()) {
            throw new ConfigException(problems);
        }
        return new ConfigFile(path, sections);
    }

    private static Section section(Path path, String name, TomlTable table, int line, List<String> problems) {
        Map<String, Value> values = new LinkedHashMap<>();
        Map<String, Section> instances = new LinkedHashMap<>();
        for (String key : table.keySet()) {
            int at = line(table, key);
            TomlTable inner = table(table, key);
            if (inner == null) {
                values.put(key, new Value(value(table.get(List.of(key))), at));
            } else if (!ConfigFile.WITH_INSTANCES.contains(name)) {
                problems.add(path + ":" + at + ": [" + name + "." + key + "] is a section too many; a machine has one ["
                        + name.replaceAll("\\..*", "") + "], and a setting has no settings of its own");
            } else if (!INSTANCE.matcher(key).matches()) {
                problems.add(path + ":" + at + ": '" + key
                        + "' is no name of an instance; use letters, digits, '.', '_' and '-', 64 at most");
            } else {
                instances.put(key, section(path, name + "." + key, inner, at, problems));
            }
        }
        return new Section(values, instances, line);
    }

    private static @Nullable TomlTable table(TomlTable table, String key) {
        return table.get(List.of(key)) instanceof TomlTable inner ? inner : null;
    }

    private static int line(TomlTable table, String key) {
        TomlPosition position = table.inputPositionOf(List.of(key));
        return position == null ? 1 : position.line();
    }

    private static Object value(@Nullable Object toml) {
        return switch (toml) {
            case String text -> text;
            case Long number -> number;
            case Boolean bool -> bool;
            case TomlArray array -> {
                List<Object> all = new ArrayList<>();
                for (int i = 0; i < array.size(); i++) {
                    Object one = value(array.get(i));
                    all.add(one instanceof List<?> ? new Unfit("a list in a list") : one);
                }
                yield all;
            }
            case Double _ -> new Unfit("a number with a point");
            case TomlTable _ -> new Unfit("a table");
            case null, default -> new Unfit("a date or a time");
        };
    }

    /** The usual slip: a size or a name without quotes. */
    private static String hint(String text, TomlPosition position) {
        List<String> lines = text.lines().toList();
        String line = position.line() <= lines.size() ? lines.get(position.line() - 1) : "";
        int equals = line.indexOf('=');
        String value = equals < 0
                ? ""
                : line.substring(equals + 1).replaceAll("#.*", "").strip();
        return value.matches("[A-Za-z0-9_./:-]+") ? "; write the value in quotes, like \"" + value + "\"" : "";
    }

    private static String sentence(String message) {
        String line = message.lines().findFirst().orElse("");
        return line.isEmpty() ? line : Character.toLowerCase(line.charAt(0)) + line.substring(1);
    }

    private static String or(String hint, String otherwise) {
        return hint.isEmpty() ? otherwise : hint;
    }
}
