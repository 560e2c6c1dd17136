package io.leapnbd.bypass.map;

import io.leapnbd.donor.linux.NativeCalls;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Path;
import java.util.Arrays;

/**
 * An open file whose lock belongs to this opening of it, and not to the process (F_OFD_SETLK, fcntl(2)). So it also keeps out who opens
 * the file anew in the same process, and stays when such a one closes it again. A lock that Java takes does not: Linux ends all of
 * a process's own locks of a file when the process closes any descriptor of it. Both kinds keep each other out. For one thread.
 */
final class LockableFile implements AutoCloseable {

    private static final int O_RDWR = 2;
    private static final int O_CREAT = 0100;
    private static final int O_CLOEXEC = 02000000;
    private static final int OWNER_ONLY = 0600;

    private static final int F_OFD_SETLK = 37;
    private static final short F_WRLCK = 1;

    /** {@code struct flock}: two shorts, and from here on two longs, of the range's beginning and length, and an int. All zero: all of it. */
    private static final long FLOCK = 32;

    private static final int EAGAIN = 11;
    private static final int EACCES = 13;

    private static final NativeCalls SYSTEM = NativeCalls.system();

    private final Path path;
    private final int descriptor;

    private LockableFile(Path path, int descriptor) {
        this.path = path;
        this.descriptor = descriptor;
    }

    /**
     * Opens a file, which is made for its owner alone if it is not there. A symbolic link is refused.
     *
     * @throws IOException with the number of the error
     */
    static LockableFile open(Path path) throws IOException {
        try (Arena arena = Arena.ofConfined()) {
            int flags = O_RDWR | O_CREAT | O_CLOEXEC | noFollow();
            int descriptor =
                    SYSTEM.integer("open", arena.allocateFrom(path.toString()).address(), flags, OWNER_ONLY);
            if (descriptor < 0) {
                throw failed(path, "opened");
            }
            return new LockableFile(path, descriptor);
        }
    }

    /** Locks all of it against every other opening; false if one has locked it. Waits for nobody. */
    boolean tryLock() throws IOException {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment lock = arena.allocate(FLOCK, Long.BYTES);
            lock.set(ValueLayout.JAVA_SHORT, 0, F_WRLCK);
            if (SYSTEM.integer("fcntl", descriptor, F_OFD_SETLK, lock.address()) == 0) {
                return true;
            }
            int error = NativeCalls.lastError();
            if (error == EAGAIN || error == EACCES) {
                return false;
            }
            throw failed(path, "locked");
        }
    }

    /** Makes these bytes all that is in it. */
    void write(byte[] bytes) throws IOException {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment from = arena.allocateFrom(ValueLayout.JAVA_BYTE, bytes);
            if (SYSTEM.integer("ftruncate", descriptor, 0L) != 0
                    || SYSTEM.pointer("pwrite", descriptor, from.address(), (long) bytes.length, 0L) != bytes.length) {
                throw failed(path, "written to");
            }
        }
    }

    /** Whether it begins with these bytes. */
    boolean holds(byte[] bytes) throws IOException {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment into = arena.allocate(bytes.length);
            long read = SYSTEM.pointer("pread", descriptor, into.address(), (long) bytes.length, 0L);
            if (read < 0) {
                throw failed(path, "read");
            }
            return Arrays.equals(into.toArray(ValueLayout.JAVA_BYTE), bytes);
        }
    }

    /** Ends the lock, too. */
    @Override
    public void close() {
        int _ = SYSTEM.integer("close", descriptor);
    }

    /** O_NOFOLLOW, which is not the same bit everywhere. */
    private static int noFollow() {
        return System.getProperty("os.arch", "").equals("aarch64") ? 0100000 : 0400000;
    }

    private static IOException failed(Path path, String what) {
        return new IOException(path + " cannot be " + what + ": error number " + NativeCalls.lastError());
    }
}
