package io.leapnbd.nbd.server;

import java.io.IOException;
import java.net.ConnectException;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;

/** Clears the way for a Unix socket: a killed server leaves its file behind, and the next one could not bind it. */
final class UnixSocketFile {

    /** {@code sizeof(sun_path)} less its final NUL. */
    private static final int MAX_PATH = 107;

    private UnixSocketFile() {}

    /**
     * Removes a socket file that nobody listens on.
     *
     * @throws IOException when something else is there, in one sentence
     */
    static void prepare(Path path) throws IOException {
        int length = path.toString().getBytes(StandardCharsets.UTF_8).length;
        if (length > MAX_PATH) {
            throw new IOException(
                    "the socket path " + path + " has " + length + " bytes; a Unix socket's may have " + MAX_PATH);
        }
        if (!Files.exists(path, LinkOption.NOFOLLOW_LINKS)) {
            return;
        }
        if (Files.isRegularFile(path) || Files.isDirectory(path)) {
            throw new IOException(path + " exists and is not a socket; choose another path or remove it");
        }
        try (SocketChannel probe = SocketChannel.open(StandardProtocolFamily.UNIX)) {
            probe.configureBlocking(false);
            probe.connect(UnixDomainSocketAddress.of(path));
        } catch (ConnectException e) {
            Files.deleteIfExists(path);
            return;
        } catch (IOException e) {
            throw new IOException("cannot tell whether a server listens on " + path + ": " + e.getMessage(), e);
        }
        throw new IOException("a server is listening on " + path + " already; stop it or choose another path");
    }
}
