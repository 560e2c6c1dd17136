package io.leapnbd.tools.serve;

import io.leapnbd.nbd.server.UnixAccess;
import io.leapnbd.tools.linux.PrivateFolder;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.List;

/**
 * The Unix sockets that clients connect to.
 *
 * @param paths of the sockets
 * @param access who may connect to them
 */
record UnixSockets(List<Path> paths, UnixAccess access) {

    static final UnixSockets NONE = new UnixSockets(List.of(), UnixAccess.OWNER);

    /**
     * Makes the folder of a socket if it is not there, and sees that nobody else can put another socket in the place of this one.
     *
     * @throws IOException in one sentence, with the option
     */
    static void prepareFolderOf(Path socket) throws IOException {
        Path folder = socket.toAbsolutePath().getParent();
        if (folder == null) {
            return;
        }
        try {
            Files.createDirectories(folder);
        } catch (IOException e) {
            throw new IOException(
                    "--unix: the folder " + folder
                            + " cannot be created; name one below a folder that you may write to",
                    e);
        }
        try {
            PrivateFolder.requireUnmovable(socket);
        } catch (IOException e) {
            throw new IOException("--unix: " + e.getMessage(), e);
        }
    }

    /** Mode and group, for people: like {@code rw-rw----, group backup}. */
    String description() {
        return PosixFilePermissions.toString(access.mode())
                + (access.group() == null ? "" : ", group " + access.group().getName());
    }
}
