package io.leapnbd.bypass.map;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
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
 * <p>Two devices of one process keep each other out like two processes do ({@link LockableFile}).
 */
final class StateLock implements AutoCloseable {

    private static final Logger LOG = LoggerFactory.getLogger(StateLock.class);

    /** Each further attempt means that another server has begun and ended meanwhile. */
    private static final int ATTEMPTS = 100;

    private final Path path;
    private final LockableFile locked;

    private StateLock(Path path, LockableFile locked) {
        this.path = path;
        this.locked = locked;
    }

    /** Takes it; null if another server has it, or another device of this process. Waits for nobody. */
    static @Nullable StateLock take(Path path) throws IOException {
        LockableFile candidate = LockableFile.open(path);
        boolean taken = false;
        try {
            for (int attempt = 0; attempt < ATTEMPTS && candidate.tryLock(); attempt++) {
                byte[] word = UUID.randomUUID().toString().getBytes(StandardCharsets.US_ASCII);
                candidate.write(word);
                LockableFile atPath = LockableFile.open(path);
                if (atPath.holds(word)) {
                    atPath.close();
                    taken = true;
                    return new StateLock(path, candidate);
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

    /** Removes the file, and gives the lock back. */
    @Override
    public void close() {
        try {
            Files.deleteIfExists(path);
        } catch (IOException e) {
            // It keeps nobody out.
            LOG.warn("{} stays behind: {}", path, e.getMessage());
        } finally {
            locked.close();
        }
    }
}
