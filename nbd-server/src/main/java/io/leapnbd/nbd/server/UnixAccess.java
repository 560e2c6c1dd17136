package io.leapnbd.nbd.server;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.GroupPrincipal;
import java.nio.file.attribute.PosixFileAttributeView;
import java.nio.file.attribute.PosixFilePermission;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * Who may connect to a Unix socket: the mode and the group of its file. Linux asks for the right to write to it (unix(7)).
 *
 * @param mode rights of the file
 * @param group of the file; null for the process's own
 */
public record UnixAccess(
        Set<PosixFilePermission> mode, @Nullable GroupPrincipal group) {

    /** For this process's user and root: mode 0600. */
    public static final UnixAccess OWNER = new UnixAccess(PosixFilePermissions.fromString("rw-------"), null);

    /** The set is copied. */
    public UnixAccess {
        mode = Set.copyOf(mode);
    }

    /**
     * Gives a socket's file its group and mode, in this order: before the mode is there, nobody else may connect.
     *
     * @throws IOException in one sentence, if this user may not give the file to the group
     */
    void apply(Path socket) throws IOException {
        GroupPrincipal to = group;
        if (to != null) {
            try {
                Files.getFileAttributeView(socket, PosixFileAttributeView.class).setGroup(to);
            } catch (IOException e) {
                throw new IOException(
                        "the socket cannot be given to the group " + to.getName()
                                + "; only root and its members may do that",
                        e);
            }
        }
        Path _ = Files.setPosixFilePermissions(socket, mode);
    }
}
