package io.leapnbd.nbd.tls;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.SeekableByteChannel;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.PosixFilePermission;
import java.util.Arrays;
import java.util.EnumSet;
import java.util.Set;

/** A file with a secret: this process's user's own or root's, and nobody else may read, change or replace it. Links are not followed. */
public final class SecretFile {

    private static final Set<PosixFilePermission> OTHERS = EnumSet.of(
            PosixFilePermission.GROUP_READ,
            PosixFilePermission.GROUP_WRITE,
            PosixFilePermission.OTHERS_READ,
            PosixFilePermission.OTHERS_WRITE);

    private SecretFile() {}

    /**
     * Reads it.
     *
     * @param most bytes that it may have
     * @param form what is in such a file, and how one is made; for messages
     * @return its bytes, which the caller wipes
     * @throws IOException in one sentence that shows nothing of it, if it is not there, a link, too long, or open to others
     */
    public static byte[] read(Path file, int most, String form) throws IOException {
        if (Files.isSymbolicLink(file)) {
            throw new IOException(file + " is a symbolic link; name the file that it leads to");
        }
        if (!Files.isRegularFile(file, LinkOption.NOFOLLOW_LINKS)) {
            throw new IOException(file + (Files.exists(file) ? " is not a file; " : " does not exist; ") + form);
        }
        try (SeekableByteChannel channel =
                Files.newByteChannel(file, Set.of(StandardOpenOption.READ, LinkOption.NOFOLLOW_LINKS))) {
            if (!TrustedPath.isTrusted(file)) {
                throw new IOException(file + " is another user's, who knows what is in it; make one of your own");
            }
            if (isShared(file)) {
                throw new IOException("others may read or change the secret in " + file + "; give it mode 0600");
            }
            TrustedPath.requireUnmovable(file);
            if (channel.size() > most) {
                throw new IOException(file + " has more than " + most + " bytes; " + form);
            }
            ByteBuffer content = ByteBuffer.allocate((int) channel.size());
            while (content.hasRemaining() && channel.read(content) >= 0) {
                // More of it.
            }
            byte[] bytes = Arrays.copyOf(content.array(), content.position());
            Arrays.fill(content.array(), (byte) 0);
            return bytes;
        } catch (FileSystemException e) {
            String reason = e.getReason();
            throw new IOException(file + " cannot be read: " + (reason == null ? "permission denied" : reason), e);
        }
    }

    private static boolean isShared(Path file) throws IOException {
        String credentials = System.getenv("CREDENTIALS_DIRECTORY");
        if (credentials != null && file.toAbsolutePath().normalize().startsWith(Path.of(credentials))) {
            // Systemd keeps others out of there. For a user of the unit's own it does so by an access list, which shows
            // as the group's right.
            return false;
        }
        return Files.getPosixFilePermissions(file, LinkOption.NOFOLLOW_LINKS).stream()
                .anyMatch(OTHERS::contains);
    }
}
