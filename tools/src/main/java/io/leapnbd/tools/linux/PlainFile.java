package io.leapnbd.tools.linux;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.channels.OverlappingFileLockException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.BasicFileAttributes;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.Set;
import org.jspecify.annotations.Nullable;

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
        check(file);
        return FileChannel.open(
                file,
                Set.of(
                        StandardOpenOption.CREATE,
                        StandardOpenOption.TRUNCATE_EXISTING,
                        StandardOpenOption.WRITE,
                        LinkOption.NOFOLLOW_LINKS));
    }

    /**
     * Opens a file for writing behind what is in it, and for reading; one that is not there is made, for this user alone to read. Nobody else
     * who opens it this way gets it meanwhile.
     *
     * @throws IOException as {@link #replace}, or if somebody else has it
     */
    public static FileChannel append(Path file) throws IOException {
        check(file);
        FileChannel channel = FileChannel.open(
                file,
                Set.of(
                        StandardOpenOption.CREATE,
                        StandardOpenOption.READ,
                        StandardOpenOption.WRITE,
                        LinkOption.NOFOLLOW_LINKS),
                PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rw-------")));
        boolean held = false;
        try {
            held = channel.tryLock() != null;
        } catch (OverlappingFileLockException e) {
            // By this very process.
            held = false;
        } finally {
            if (!held) {
                channel.close();
            }
        }
        if (!held) {
            throw new IOException("another process writes it; name another");
        }
        channel.position(channel.size());
        return channel;
    }

    /**
     * Cuts off what is behind the last line feed: half a line that somebody was writing when he was killed.
     *
     * @param most bytes that a line may have; where more have no line feed nothing is cut off
     */
    public static void endWithWholeLine(FileChannel file, int most) throws IOException {
        long size = file.size();
        ByteBuffer tail = ByteBuffer.allocate((int) Math.min(size, most));
        while (tail.hasRemaining() && file.read(tail, size - tail.capacity() + tail.position()) > 0) {
            // It is read whole.
        }
        for (int end = tail.position(); end > 0; end--) {
            if (tail.get(end - 1) == '\n') {
                file.truncate(size - tail.position() + end);
                break;
            }
        }
        file.position(file.size());
    }

    private static void check(Path file) throws IOException {
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

    /** What a file is, whatever it is called; null if there is none. Two looks at one name differ if the file was moved meanwhile. */
    public static @Nullable Object key(Path file) {
        try {
            return Files.readAttributes(file, BasicFileAttributes.class).fileKey();
        } catch (IOException e) {
            return null;
        }
    }
}
