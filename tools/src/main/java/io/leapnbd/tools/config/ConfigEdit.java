package io.leapnbd.tools.config;

import io.leapnbd.tools.cli.OneLineErrors;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.PosixFileAttributeView;
import java.nio.file.attribute.PosixFileAttributes;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;
import org.tomlj.Toml;
import org.tomlj.TomlArray;
import org.tomlj.TomlParseResult;

/**
 * Changes values in a file of settings: those and nothing else. Comments, order and spaces stay, byte for byte; so do owner, group
 * and mode. The file is replaced as a whole, so whoever reads it meanwhile has the old one or the new one.
 */
public final class ConfigEdit {

    private ConfigEdit() {}

    /**
     * Sets values in the section of a command or of an instance, and adds keys and section where they are not there.
     *
     * @param values texts by key; a text with commas for one that is a list in the file
     * @param lists keys that are lists
     * @return keys that are other than before
     * @throws ConfigException if the file cannot be changed; then it has not been
     */
    public static List<String> save(
            Path path, String command, @Nullable String instance, Map<String, String> values, Set<String> lists)
            throws ConfigException {
        try {
            // A link stays one.
            Path file = path.toRealPath();
            String before = ConfigReader.text(file);
            List<String> changed = new ArrayList<>();
            String after = edited(path, before, command, instance, values, lists, changed);
            if (!changed.isEmpty()) {
                replace(file, before, after);
            }
            return changed;
        } catch (IOException e) {
            throw new ConfigException(path + " cannot be changed (" + OneLineErrors.describe(e)
                    + "); its settings are in force until the next start");
        }
    }

    /**
     * Looks whether a file can be changed: it can be read, and says nothing that the parser does not take.
     *
     * @throws ConfigException if not
     */
    public static void requireSound(Path path) throws ConfigException {
        var _ = ConfigReader.read(path);
    }

    /** The text with other values. */
    static String edited(
            Path path,
            String text,
            String command,
            @Nullable String instance,
            Map<String, String> values,
            Set<String> lists,
            List<String> changed)
            throws ConfigException {
        var _ = ConfigReader.parse(path, text);
        TomlParseResult toml = Toml.parse(text);
        for (Map.Entry<String, String> value : values.entrySet()) {
            List<String> place =
                    instance == null ? List.of(command, value.getKey()) : List.of(command, instance, value.getKey());
            Object wanted = lists.contains(value.getKey())
                    ? List.of(value.getValue().split(","))
                    : value.getValue().matches("0|[1-9]\\d{0,17}")
                            ? (Object) Long.valueOf(value.getValue())
                            : value.getValue();
            Object present = toml.get(place);
            if (!text(present).equals(text(wanted))) {
                toml.set(place, wanted);
                changed.add(value.getKey());
            }
        }
        String after = toml.toToml();
        TomlParseResult again = Toml.parse(after);
        if (again.hasErrors() || !Toml.equals(again, toml)) {
            throw new ConfigException(path + " cannot be changed without changing more than that; write "
                    + String.join(", ", changed) + " into it by hand");
        }
        return after;
    }

    /** A value without the way that it is written in: {@code 32} and {@code "32"} are the same setting. */
    private static String text(@Nullable Object value) {
        return switch (value) {
            case null -> "";
            case TomlArray array -> array.toList().toString();
            default -> value.toString();
        };
    }

    private static void replace(Path file, String before, String after) throws IOException, ConfigException {
        PosixFileAttributes old = Files.readAttributes(file, PosixFileAttributes.class);
        Path part = file.resolveSibling("." + file.getFileName() + ".part");
        Files.deleteIfExists(part);
        try {
            try (FileChannel channel = FileChannel.open(
                    part,
                    Set.of(StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE),
                    PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rw-------")))) {
                ByteBuffer bytes = ByteBuffer.wrap(after.getBytes(StandardCharsets.UTF_8));
                while (bytes.hasRemaining()) {
                    int _ = channel.write(bytes);
                }
                PosixFileAttributeView fresh =
                        Files.getFileAttributeView(part, PosixFileAttributeView.class, LinkOption.NOFOLLOW_LINKS);
                PosixFileAttributes made = fresh.readAttributes();
                if (!made.owner().equals(old.owner())) {
                    fresh.setOwner(old.owner());
                }
                if (!made.group().equals(old.group())) {
                    fresh.setGroup(old.group());
                }
                fresh.setPermissions(old.permissions());
                channel.force(true);
            }
            if (!Files.readString(file).equals(before)) {
                throw new ConfigException(file + " was changed by somebody else just now; say it once more");
            }
            Files.move(part, file, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
        } finally {
            Files.deleteIfExists(part);
        }
    }
}
