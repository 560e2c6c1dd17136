package io.leapnbd.nbd.server;

import java.io.IOException;
import java.net.ConnectException;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.channels.OverlappingFileLockException;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.locks.LockSupport;
import java.util.concurrent.locks.ReentrantLock;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The file of a Unix socket, from the time before it is bound until it is removed.
 *
 * <p>The socket is bound in a folder of its own that only this user may enter, given its group and mode, and then moved to its path. So
 * nobody connects to it who may not, whatever the umask, and who finds it finds a server that listens. What is
 * at the path before is replaced only if it is a socket that nobody listens on. At the end the file is removed only if it
 * is still this one, by device and inode. Both happen under a lock, a file beside the path.
 */
final class UnixSocketFile implements AutoCloseable {

    private static final Logger LOG = LoggerFactory.getLogger(UnixSocketFile.class);

    /** {@code sizeof(sun_path)} less its final NUL. */
    private static final int MAX_PATH = 107;

    private static final int TYPE = 0170000;
    private static final int SOCKET = 0140000;
    private static final String PRIVATE = "rw-------";
    private static final String PRIVATE_FOLDER = "rwx------";
    private static final long LOCK_NANOS = 10_000_000_000L;
    private static final long LOCK_AGAIN_NANOS = 5_000_000;

    /** Locks of files are the process's, not the thread's. */
    private static final ReentrantLock THIS_PROCESS = new ReentrantLock();

    private final Path path;
    private final Identity own;

    private UnixSocketFile(Path path, Identity own) {
        this.path = path;
        this.own = own;
    }

    /** Binds a socket at a path. */
    @FunctionalInterface
    interface Binding {

        void bind(Path at) throws IOException;
    }

    /**
     * Has a socket bound, and puts it where it belongs.
     *
     * @param access who may connect
     * @throws IOException when something else is there that must stay, in one sentence
     */
    static UnixSocketFile create(Path path, UnixAccess access, Binding binding) throws IOException {
        Path folder = path.toAbsolutePath().getParent();
        if (folder == null) {
            throw new IOException("the socket path " + path + " names no file; give a path below a folder");
        }
        Path home = folder.resolve(".s" + Integer.toString((int) (System.nanoTime() & 0xfffff), Character.MAX_RADIX));
        Path draft = home.resolve("s");
        checkLength(path);
        checkLength(draft);
        try (Lock _ = Lock.take(path)) {
            clear(path);
            createPrivateFolder(home);
            try {
                binding.bind(draft);
                access.apply(draft);
                Identity own = Identity.of(draft);
                if (own == null) {
                    throw new IOException("the socket that was bound for " + path + " has gone");
                }
                Files.move(draft, path, StandardCopyOption.ATOMIC_MOVE);
                return new UnixSocketFile(path, own);
            } finally {
                Files.deleteIfExists(draft);
                Files.deleteIfExists(home);
            }
        }
    }

    private static void createPrivateFolder(Path home) throws IOException {
        try {
            Path _ = Files.createDirectory(
                    home, PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString(PRIVATE_FOLDER)));
        } catch (NoSuchFileException e) {
            throw new IOException("the folder " + home.getParent() + " does not exist; create it", e);
        } catch (IOException e) {
            throw new IOException("cannot create a socket in " + home.getParent() + ": " + e.getMessage(), e);
        }
    }

    private static void checkLength(Path path) throws IOException {
        int length = path.toString().getBytes(StandardCharsets.UTF_8).length;
        if (length > MAX_PATH) {
            throw new IOException(
                    "the socket path " + path + " has " + length + " bytes; a Unix socket's may have " + MAX_PATH);
        }
    }

    /** Makes sure that what is at the path may be replaced: nothing, or a socket that nobody listens on. */
    private static void clear(Path path) throws IOException {
        Identity there = Identity.of(path);
        if (there == null) {
            return;
        }
        if (!there.socket()) {
            throw new IOException(path + " exists and is not a socket; choose another path or remove it");
        }
        try (SocketChannel probe = SocketChannel.open(StandardProtocolFamily.UNIX)) {
            probe.configureBlocking(false);
            probe.connect(UnixDomainSocketAddress.of(path));
        } catch (ConnectException e) {
            return;
        } catch (IOException e) {
            throw new IOException("cannot tell whether a server listens on " + path + ": " + e.getMessage(), e);
        }
        throw new IOException("a server is listening on " + path + " already; stop it or choose another path");
    }

    /** Removes the file if it is still the one that was created. */
    @Override
    public void close() {
        try (Lock _ = Lock.take(path)) {
            if (own.equals(Identity.of(path))) {
                Files.deleteIfExists(path);
            }
        } catch (IOException e) {
            LOG.warn("the socket file {} stays: {}", path, e.getMessage());
        }
    }

    /** Which file it is, and of which type. */
    private record Identity(Object device, Object inode, boolean socket) {

        static @Nullable Identity of(Path path) throws IOException {
            try {
                Map<String, Object> found = Files.readAttributes(path, "unix:dev,ino,mode", LinkOption.NOFOLLOW_LINKS);
                Object device = found.get("dev");
                Object inode = found.get("ino");
                if (device == null || inode == null || !(found.get("mode") instanceof Integer mode)) {
                    throw new IOException("cannot tell what " + path + " is");
                }
                return new Identity(device, inode, (mode & TYPE) == SOCKET);
            } catch (NoSuchFileException e) {
                return null;
            }
        }
    }

    /** Keeps other servers from the same path: a locked file, which goes when the lock does. */
    private record Lock(FileChannel channel, Path file) implements AutoCloseable {

        private static final int MOST_SIZE = 1 << 20;

        static Lock take(Path path) throws IOException {
            THIS_PROCESS.lock();
            boolean taken = false;
            try {
                Path file = path.resolveSibling(path.getFileName() + ".lock");
                long end = System.nanoTime() + LOCK_NANOS;
                while (true) {
                    Lock lock = tryTake(file);
                    if (lock != null) {
                        taken = true;
                        return lock;
                    }
                    if (System.nanoTime() - end >= 0) {
                        throw new IOException("another process holds " + file + "; stop it or choose another path");
                    }
                    LockSupport.parkNanos(LOCK_AGAIN_NANOS);
                }
            } finally {
                if (!taken) {
                    THIS_PROCESS.unlock();
                }
            }
        }

        /** Null when somebody else has it, or has just removed the file that was opened. */
        private static @Nullable Lock tryTake(Path file) throws IOException {
            FileChannel channel;
            try {
                channel = FileChannel.open(
                        file,
                        Set.of(StandardOpenOption.CREATE, StandardOpenOption.WRITE, LinkOption.NOFOLLOW_LINKS),
                        PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString(PRIVATE)));
            } catch (NoSuchFileException e) {
                throw new IOException("the folder " + file.getParent() + " does not exist; create it", e);
            } catch (IOException e) {
                throw new IOException("cannot create " + file + ": " + e.getMessage(), e);
            }
            boolean taken = false;
            try {
                if (channel.tryLock() != null) {
                    // Whoever removed the file that was opened did so under its lock. The size tells whether it is
                    // still the one
                    // at the path; to open that for a look would end this process's lock.
                    long mark = 1L + ThreadLocalRandom.current().nextInt(MOST_SIZE);
                    var _ = channel.truncate(0).write(ByteBuffer.allocate(1), mark - 1);
                    taken = Objects.equals(
                            mark,
                            Files.readAttributes(file, "size", LinkOption.NOFOLLOW_LINKS)
                                    .get("size"));
                }
                return taken ? new Lock(channel, file) : null;
            } catch (OverlappingFileLockException | NoSuchFileException e) {
                return null;
            } finally {
                if (!taken) {
                    channel.close();
                }
            }
        }

        @Override
        public void close() throws IOException {
            try {
                Files.deleteIfExists(file);
                channel.close();
            } finally {
                THIS_PROCESS.unlock();
            }
        }
    }
}
