package io.leapnbd.tools.linux;

import io.leapnbd.nbd.tls.TrustedPath;
import java.io.IOException;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermission;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * Folders that nobody else may have made or may write to: what is in them is believed. In a shared place like {@code /tmp} somebody
 * else may make a folder of any name first.
 */
public final class PrivateFolder {

    private PrivateFolder() {}

    /**
     * Makes the folder if it is not there, and checks it.
     *
     * @param permissions of one that is made, like {@code rwx------}
     * @throws IOException in one sentence with the remedy, if it cannot be made or is not this user's (or root's) own
     */
    public static void require(Path folder, String permissions) throws IOException {
        if (!Files.isDirectory(folder)) {
            try {
                Path parent = folder.toAbsolutePath().getParent();
                if (parent != null) {
                    Files.createDirectories(parent);
                }
                Files.createDirectory(
                        folder, PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString(permissions)));
            } catch (FileAlreadyExistsException e) {
                if (!Files.isDirectory(folder)) {
                    throw new IOException(folder + " is not a folder; name another, or remove it", e);
                }
            } catch (IOException e) {
                throw new IOException(
                        "the folder " + folder + " cannot be created; name one below a folder that you may write to",
                        e);
            }
        }
        check(folder);
    }

    /** Whether {@link #require} would find the folder there and in order. */
    public static boolean isSafe(Path folder) {
        return Files.isDirectory(folder) && objection(folder) == null;
    }

    /** What is wrong with a folder that is there, in one sentence with the remedy; null if it is in order, or not there. */
    public static @Nullable String objection(Path folder) {
        try {
            if (Files.isDirectory(folder)) {
                check(folder);
            }
            return null;
        } catch (IOException e) {
            return e.getMessage();
        }
    }

    /** Whether a file is this user's or root's own, and no link. */
    public static boolean isOwn(Path file) throws IOException {
        return !Files.isSymbolicLink(file) && TrustedPath.isTrusted(file);
    }

    private static void check(Path folder) throws IOException {
        // A link may be somebody else's and lead to a folder of ours: it is looked at, and what it leads to.
        if (!TrustedPath.isTrusted(folder) || !TrustedPath.isTrusted(folder.toRealPath())) {
            throw new IOException(
                    "the folder " + folder + " belongs to " + Files.getOwner(folder, LinkOption.NOFOLLOW_LINKS)
                            + ", who could change what is in it; remove it, or name a folder of your own");
        }
        Set<PosixFilePermission> rights = Files.getPosixFilePermissions(folder);
        if (rights.contains(PosixFilePermission.OTHERS_WRITE)) {
            throw new IOException("anybody may write to the folder " + folder
                    + "; name one of your own, or take that right away: chmod o-w " + folder);
        }
        if (rights.contains(PosixFilePermission.GROUP_WRITE)) {
            throw new IOException("the group of the folder " + folder
                    + " may write to it; name another, or take that right away: chmod g-w " + folder);
        }
        requireUnmovable(folder);
        requireUnmovable(folder.toRealPath());
    }

    /**
     * Checks that nobody else can put another file or folder in the place of one.
     *
     * @throws IOException in one sentence with the remedy, if somebody can
     */
    public static void requireUnmovable(Path file) throws IOException {
        TrustedPath.requireUnmovable(file);
    }
}
