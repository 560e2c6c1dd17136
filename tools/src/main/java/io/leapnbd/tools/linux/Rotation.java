package io.leapnbd.tools.linux;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;

/**
 * A file that has grown large becomes {@code FILE.1}, what was {@code FILE.1} becomes {@code FILE.2}, and so on. {@link #KEPT} of them are kept.
 */
public final class Rotation {

    /** Older files that are kept. */
    public static final int KEPT = 9;

    private Rotation() {}

    /**
     * Moves a file out of the way; nothing happens if it is not there.
     *
     * @throws IOException if the folder does not let itself be changed
     */
    public static void shift(Path file) throws IOException {
        if (!Files.exists(file, LinkOption.NOFOLLOW_LINKS)) {
            return;
        }
        int free = 1;
        while (free < KEPT && Files.exists(numbered(file, free), LinkOption.NOFOLLOW_LINKS)) {
            free++;
        }
        for (int number = free; number > 1; number--) {
            move(numbered(file, number - 1), numbered(file, number));
        }
        move(file, numbered(file, 1));
    }

    private static void move(Path from, Path to) throws IOException {
        Files.move(from, to, StandardCopyOption.REPLACE_EXISTING);
    }

    private static Path numbered(Path file, int number) {
        return file.resolveSibling(file.getFileName() + "." + number);
    }
}
