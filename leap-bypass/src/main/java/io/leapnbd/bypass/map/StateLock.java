package io.leapnbd.bypass.map;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.channels.OverlappingFileLockException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.UUID;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Keeps the other servers of this machine from an export's state file: a locked file beside it, which goes when the lock does.
 *
 * <p><b>Why two servers never both have it.</b> A file is removed only by who holds its lock and has seen it at the path meanwhile. So a
 * server may lock a file that was removed after it had opened it. Therefore it writes a random word into what it has locked, and
 * reads what is at the path. Only the holder of a file's lock writes to it. If the word is there, the file at the path is the locked one,
 * and stays there until this server removes it. Otherwise this server tries the file that it has just read.
 *
 * <p>The file that is read for that is closed only together with the locked one: Linux ends a process's locks of a file when the
 * process closes any descriptor of it.
 */
final class StateLock implements AutoCloseable {

    private static final Logger LOG = LoggerFactory.getLogger(StateLock.class);

    /** Each further attempt means that another server has begun and ended meanwhile. */
    private static final int ATTEMPTS = 100;

    private final Path file;
    private final FileChannel locked;
    private final FileChannel seen;

    private StateLock(Path file, FileChannel locked, FileChannel seen) {
        this.file = file;
        this.locked = locked;
        this.seen = seen;
    }

    /** Takes it; null if another server has it. Waits for nobody. */
    static @Nullable StateLock take(Path file) throws IOException {
        FileChannel candidate = LockedStateFile.open(file, StandardOpenOption.CREATE);
        boolean taken = false;
        try {
            for (int attempt = 0; attempt < ATTEMPTS && lock(candidate); attempt++) {
                byte[] word = UUID.randomUUID().toString().getBytes(StandardCharsets.US_ASCII);
                int _ = candidate.truncate(0).write(ByteBuffer.wrap(word), 0);
                FileChannel atPath = LockedStateFile.open(file, StandardOpenOption.CREATE);
                if (holds(atPath, word)) {
                    taken = true;
                    return new StateLock(file, candidate, atPath);
                }
                candidate.close();
                candidate = atPath;
            }
            return null;
        } finally {
            if (!taken) {
                candidate.close();
            }
        }
    }

    private static boolean lock(FileChannel channel) throws IOException {
        try {
            return channel.tryLock() != null;
        } catch (OverlappingFileLockException e) {
            // Another device of this very process has it: as good as locked.
            return false;
        }
    }

    private static boolean holds(FileChannel channel, byte[] word) throws IOException {
        ByteBuffer found = ByteBuffer.allocate(word.length);
        int _ = channel.read(found, 0);
        return found.flip().equals(ByteBuffer.wrap(word));
    }

    /** Removes the file, and gives the lock back. */
    @Override
    public void close() throws IOException {
        try {
            Files.deleteIfExists(file);
        } catch (IOException e) {
            // It keeps nobody out.
            LOG.warn("{} stays behind: {}", file, e.getMessage());
        } finally {
            locked.close();
            seen.close();
        }
    }
}
