package io.leapnbd.tools.linux;

import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Optional;

/** Reads and writes the one-value files of /proc and /sys, whose length the kernel reports as zero. */
public final class KernelFile {
    private static final int LONGEST = 1 << 20;

    private KernelFile() {}

    /** The text without its trailing line break; nothing when the file cannot be read. */
    public static Optional<String> read(Path file) {
        // In large pieces: sysctl files answer the first read only, and Files.readString starts with one byte.
        try (InputStream in = Files.newInputStream(file)) {
            return Optional.of(new String(in.readNBytes(LONGEST), StandardCharsets.UTF_8).strip());
        } catch (IOException e) {
            return Optional.empty();
        }
    }

    /** The number in the file; nothing when it cannot be read or is not a number. */
    public static Optional<Long> readLong(Path file) {
        return read(file).flatMap(text -> {
            try {
                return Optional.of(Long.parseLong(text));
            } catch (NumberFormatException e) {
                return Optional.empty();
            }
        });
    }

    /** Writes the value in one system call, as the kernel wants it. */
    public static void write(Path file, String value) throws IOException {
        Files.writeString(file, value, StandardOpenOption.WRITE, StandardOpenOption.TRUNCATE_EXISTING);
    }
}
