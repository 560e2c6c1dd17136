package io.leapnbd.bypass.map;

import io.leapnbd.donor.linux.NativeCalls;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.util.zip.CRC32C;

/**
 * The part of a state file that is a hole until it is needed. Who stores to a hole of a full {@code tmpfs}, or only loads from it, is killed by
 * SIGBUS. So a range is allocated before it is touched. Any thread.
 */
final class SealSpace implements AutoCloseable {

    private static final int O_RDWR = 2;
    private static final int O_CLOEXEC = 02000000;
    private static final int EINTR = 4;
    private static final int STEP = 1 << 20;

    private static final NativeCalls SYSTEM = NativeCalls.system();

    private final Path path;
    private final int descriptor;

    private SealSpace(Path path, int descriptor) {
        this.path = path;
        this.descriptor = descriptor;
    }

    /** Of an existing file. */
    static SealSpace of(Path path) throws IOException {
        try (Arena arena = Arena.ofConfined()) {
            int descriptor =
                    SYSTEM.integer("open", arena.allocateFrom(path.toString()).address(), O_RDWR | O_CLOEXEC);
            if (descriptor < 0) {
                throw new IOException(path + " cannot be opened: error number " + NativeCalls.lastError());
            }
            return new SealSpace(path, descriptor);
        }
    }

    /** Makes the file longer, by a hole. */
    void extend(long length) throws IOException {
        if (SYSTEM.integer("ftruncate", descriptor, length) != 0) {
            throw new IOException(path + " cannot be made longer: error number " + NativeCalls.lastError());
        }
    }

    /** Allocates a range; what is there stays. Answers 0 or the number of the error. */
    int reserve(long at, long length) {
        int error;
        do {
            error = SYSTEM.integer("posix_fallocate", descriptor, at, length);
        } while (error == EINTR);
        return error;
    }

    /** Adds the bytes of a range to a sum. Holes are zeros, and stay holes. */
    void addTo(CRC32C sum, long at, long length) throws IOException {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment into = arena.allocate(Math.min(STEP, length));
            for (long done = 0; done < length; ) {
                long read = SYSTEM.pointer(
                        "pread", descriptor, into.address(), Math.min(into.byteSize(), length - done), at + done);
                if (read <= 0) {
                    throw new IOException(path + " cannot be read: error number " + NativeCalls.lastError());
                }
                sum.update(into.asSlice(0, read).asByteBuffer());
                done += read;
            }
        }
    }

    @Override
    public void close() {
        int _ = SYSTEM.integer("close", descriptor);
    }
}
