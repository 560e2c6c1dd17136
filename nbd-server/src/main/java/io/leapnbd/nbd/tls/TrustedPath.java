package io.leapnbd.nbd.tls;

import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.util.List;

/**
 * Files that are believed, like certificates: nobody but this process's user and root may change them, or put others in their place. Any thread.
 */
public final class TrustedPath {

    private static final int ROOT = 0;
    private static final int WRITABLE = 022;
    private static final int STICKY = 01000;

    /** Whether every user has his own number here. In a user namespace root's folders may seem to be those of a user without a number. */
    private static final boolean ALL_USERS = allUsers();

    private TrustedPath() {}

    /**
     * Checks a file, a link's target included.
     *
     * @throws IOException in one sentence with the remedy, if it cannot be looked at, is another user's, or others may change or replace it
     */
    public static void require(Path file) throws IOException {
        Path real = file.toRealPath();
        if (!isTrusted(file) || !isTrusted(real)) {
            throw new IOException(
                    file + " belongs to " + Files.getOwner(isTrusted(real) ? file : real, LinkOption.NOFOLLOW_LINKS)
                            + ", who could change it; make one of your own, or say: chown " + user() + " " + file);
        }
        if ((mode(real) & WRITABLE) != 0) {
            throw new IOException("others may change " + file + "; take that right away: chmod go-w " + file);
        }
        requireUnmovable(file);
        requireUnmovable(real);
    }

    /**
     * Checks a file as {@link #require} does, and reads it then. So nobody else says how long that takes, or how much memory.
     *
     * @param most bytes that it may have
     * @throws IOException as of {@link #require}, or in one sentence if it is no plain file or has more bytes
     */
    public static byte[] read(Path file, int most) throws IOException {
        require(file);
        if (!Files.isRegularFile(file)) {
            throw new IOException(file + " is not a plain file; put one in its place");
        }
        try (InputStream in = Files.newInputStream(file)) {
            byte[] content = in.readNBytes(most + 1);
            if (content.length > most) {
                throw new IOException(file + " has more than " + most + " bytes");
            }
            return content;
        }
    }

    /**
     * Likewise, as lines of text in UTF-8.
     *
     * @throws IOException as of {@link #read}, or in one sentence if it is no such text
     */
    public static List<String> readLines(Path file, int most) throws IOException {
        ByteBuffer content = ByteBuffer.wrap(read(file, most));
        try {
            return StandardCharsets.UTF_8
                    .newDecoder()
                    .decode(content)
                    .toString()
                    .lines()
                    .toList();
        } catch (CharacterCodingException e) {
            throw new IOException(file + " is not text in UTF-8", e);
        }
    }

    /**
     * Checks that nobody else can put another file or folder in the place of one: folders above it are this user's or root's, and where their mode
     * lets others write, they have the sticky bit, as {@code /tmp} has it.
     *
     * @throws IOException in one sentence with the remedy, if somebody can
     */
    public static void requireUnmovable(Path file) throws IOException {
        Path above = file.toAbsolutePath().getParent();
        if (above == null || !Files.isDirectory(above)) {
            return;
        }
        for (Path at = above.toRealPath(); at != null; at = at.getParent()) {
            int mode = mode(at);
            if ((mode & WRITABLE) != 0 && (mode & STICKY) == 0) {
                throw new IOException("others may write to the folder " + at + ", and so replace " + file
                        + "; name another place, or take that right away: chmod go-w " + at);
            }
            if (ALL_USERS && !isTrusted(at)) {
                throw new IOException("the folder " + at + " belongs to "
                        + Files.getOwner(at, LinkOption.NOFOLLOW_LINKS) + ", who could replace " + file
                        + "; name another place");
            }
        }
    }

    /** Whether a file, or the link itself, is this user's or root's. */
    public static boolean isTrusted(Path file) throws IOException {
        int owner = owner(file);
        return owner == ROOT || owner == user();
    }

    private static int user() throws IOException {
        return owner(Path.of("/proc/self/maps"));
    }

    private static int owner(Path file) throws IOException {
        return (Integer) Files.getAttribute(file, "unix:uid", LinkOption.NOFOLLOW_LINKS);
    }

    private static int mode(Path file) throws IOException {
        return (Integer) Files.getAttribute(file, "unix:mode", LinkOption.NOFOLLOW_LINKS);
    }

    private static boolean allUsers() {
        try {
            return Files.readString(Path.of("/proc/self/uid_map")).strip().matches("0\\s+0\\s+4294967295");
        } catch (IOException e) {
            return false;
        }
    }
}
