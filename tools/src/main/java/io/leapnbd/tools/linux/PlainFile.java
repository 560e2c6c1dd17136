package io.leapnbd.tools.linux;

import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.Set;

/**
 * Files that a server writes by itself, often as root, and perhaps in a folder that others may write to. In such a place somebody may
 * have put a link to a file that only root may change, or a file that he may read.
 */
public final class PlainFile {

    private PlainFile() {}

    /**
     * Opens a file for writing, emptied if it is there.
     *
     * @throws IOException in one sentence without the file's name, if what is there is a symbolic link, no plain file or another user's;
     *     or the system's own
     */
    public static FileChannel replace(Path file) throws IOException {
        if (Files.exists(file, LinkOption.NOFOLLOW_LINKS)) {
            if (Files.isSymbolicLink(file)) {
                throw new IOException("it is a symbolic link; name the file that it leads to");
            }
            if (!Files.isRegularFile(file, LinkOption.NOFOLLOW_LINKS)) {
                throw new IOException("it is there and no plain file; name another");
            }
            if (!PrivateFolder.isOwn(file)) {
                throw new IOException("it is another user's; name another, or remove it");
            }
        }
        return FileChannel.open(
                file,
                Set.of(
                        StandardOpenOption.CREATE,
                        StandardOpenOption.TRUNCATE_EXISTING,
                        StandardOpenOption.WRITE,
                        LinkOption.NOFOLLOW_LINKS));
    }

    /**
     * Makes a file that only this user may read.
     *
     * @throws java.nio.file.FileAlreadyExistsException if anything is there, a link to nowhere included
     */
    public static FileChannel create(Path file) throws IOException {
        return FileChannel.open(
                file,
                Set.of(StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE),
                PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rw-------")));
    }
}
