package io.leapnbd.tools.host;

import static java.util.Objects.requireNonNull;

import io.leapnbd.tools.linux.PrivateFolder;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.channels.OverlappingFileLockException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Optional;
import java.util.UUID;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/**
 * A lock of this host, on a file in the folder of the state files. The kernel lets it go when the process ends, however that
 * is. The file has the process id of who holds it, for messages, and stays.
 */
public final class HostLock implements AutoCloseable {
    /** Of the folder, if it is made: {@code status} of other users looks for servers there. */
    static final String FOLDER_MODE = "rwxr-xr-x";

    private static final long RETRY_MILLIS = 100;
    private static final int LONGEST_PID = 20;

    private final FileChannel channel;

    private HostLock(FileChannel channel) {
        this.channel = channel;
    }

    /** Held by whoever changes what is attached, for that long: two of them would not see each other's device. */
    public static Path changes(Path directory) {
        return directory.resolve("changes.lock");
    }

    /** Held by the process that keeps one export connected, for as long as it does. */
    public static Path export(Path directory, String identity) {
        UUID name = UUID.nameUUIDFromBytes(identity.getBytes(StandardCharsets.UTF_8));
        return directory.resolve("export-" + name + ".lock");
    }

    /** The lock, or nothing when another process holds it. */
    public static Optional<HostLock> tryTake(Path file) throws IOException {
        PrivateFolder.require(requireNonNull(file.toAbsolutePath().getParent()), FOLDER_MODE);
        FileChannel channel = FileChannel.open(
                file,
                StandardOpenOption.CREATE,
                StandardOpenOption.READ,
                StandardOpenOption.WRITE,
                LinkOption.NOFOLLOW_LINKS);
        try {
            if (lock(channel) == null) {
                channel.close();
                return Optional.empty();
            }
            byte[] pid = Long.toString(ProcessHandle.current().pid()).getBytes(StandardCharsets.US_ASCII);
            channel.truncate(0).write(ByteBuffer.wrap(pid), 0);
            return Optional.of(new HostLock(channel));
        } catch (IOException | RuntimeException e) {
            channel.close();
            throw e;
        }
    }

    /** Waits for the lock; nothing when it is not to be had before {@code deadline} by {@link System#nanoTime}. */
    public static Optional<HostLock> take(Path file, long deadline) throws IOException {
        while (true) {
            Optional<HostLock> lock = tryTake(file);
            if (lock.isPresent() || System.nanoTime() - deadline >= 0) {
                return lock;
            }
            try {
                TimeUnit.MILLISECONDS.sleep(RETRY_MILLIS);
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
                return Optional.empty();
            }
        }
    }

    private static @Nullable FileLock lock(FileChannel channel) throws IOException {
        try {
            return channel.tryLock();
        } catch (OverlappingFileLockException e) {
            return null; // another thread of this process
        }
    }

    /** Who holds the lock, for a message; empty when that is not known. */
    public static Optional<String> holder(Path file) {
        try {
            String pid = Files.readString(file).strip();
            return pid.isEmpty() || pid.length() > LONGEST_PID ? Optional.empty() : Optional.of(pid);
        } catch (IOException e) {
            return Optional.empty();
        }
    }

    @Override
    public void close() throws IOException {
        channel.close();
    }
}
