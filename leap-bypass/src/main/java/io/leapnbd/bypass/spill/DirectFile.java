package io.leapnbd.bypass.spill;

import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import io.leapnbd.donor.linux.NativeCalls;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemoryLayout.PathElement;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandle;
import java.lang.invoke.VarHandle;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;

/**
 * A file that is read and written around the page cache (O_DIRECT), at whole blocks of {@link #BLOCK} bytes. Any thread; each call waits for the
 * disk.
 */
final class DirectFile implements AutoCloseable {

    /** Every disk takes multiples of it. */
    static final int BLOCK = 4096;

    private static final int O_RDWR = 2;
    private static final int O_CREAT = 0100;
    private static final int O_CLOEXEC = 02000000;
    private static final boolean ARM = System.getProperty("os.arch", "").equals("aarch64");
    private static final int O_NOFOLLOW = ARM ? 0100000 : 0400000;
    private static final int O_DIRECT = ARM ? 0200000 : 040000;
    private static final int OWNER_ONLY = 0600;
    private static final int LOCK_EX_NB = 2 | 4;

    private static final int ENOENT = 2;
    private static final int EINTR = 4;
    private static final int EACCES = 13;
    private static final int EAGAIN = 11;
    private static final int EISDIR = 21;
    private static final int EINVAL = 22;
    private static final int EFBIG = 27;
    private static final int ENOSPC = 28;
    private static final int EROFS = 30;
    private static final int ELOOP = 40;
    private static final int EOPNOTSUPP = 95;
    private static final int EDQUOT = 122;

    private static final int S_IFMT = 0170000;
    private static final int S_IFREG = 0100000;

    private static final NativeCalls SYSTEM = NativeCalls.system();
    private static final Linker LINKER = Linker.nativeLinker();
    private static final VarHandle ERRNO =
            Linker.Option.captureStateLayout().varHandle(PathElement.groupElement("errno"));
    private static final MethodHandle PREAD = find("pread");
    private static final MethodHandle PWRITE = find("pwrite");
    private static final ThreadLocal<MemorySegment> ERROR_STATE =
            ThreadLocal.withInitial(() -> Arena.ofAuto().allocate(Linker.Option.captureStateLayout()));

    private final Path path;
    private final int descriptor;

    private DirectFile(Path path, int descriptor) {
        this.path = path;
        this.descriptor = descriptor;
    }

    /**
     * Opens a file, makes it for its owner alone if it is not there, and locks it against every other opening.
     *
     * @throws IOException with one sentence for the operator, if it is none that this process should write to
     */
    static DirectFile open(Path path) throws IOException {
        int descriptor;
        try (Arena arena = Arena.ofConfined()) {
            descriptor = SYSTEM.integer(
                    "open",
                    arena.allocateFrom(path.toString()).address(),
                    O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_DIRECT,
                    OWNER_ONLY);
        }
        if (descriptor < 0) {
            throw new IOException(notOpened(path, NativeCalls.lastError()));
        }
        DirectFile file = new DirectFile(path, descriptor);
        boolean fit = false;
        try {
            file.checkKind();
            fit = true;
            return file;
        } finally {
            if (!fit) {
                file.close();
            }
        }
    }

    private static String notOpened(Path path, int error) {
        String name = "--spill " + path;
        return switch (error) {
            case ENOENT -> name + ": its folder is missing; make it, or name a file in another one";
            case ELOOP -> name + " is a symbolic link, and is not followed; name the file itself";
            case EISDIR -> name + " is a folder; name a file in it";
            case EACCES -> name + " cannot be opened: permission denied; name a file that this user may write to";
            case EROFS -> name + " is on a file system that is mounted read-only; name a file on another one";
            case EINVAL ->
                name + " cannot be read around the page cache (O_DIRECT) on its file system; name a file on a disk";
            default -> name + " cannot be opened: error number " + error;
        };
    }

    private void checkKind() throws IOException {
        Map<String, Object> found = Files.readAttributes(Path.of("/proc/self/fd/" + descriptor), "unix:mode,uid,nlink");
        String name = "--spill " + path;
        if ((number(found, "mode") & S_IFMT) != S_IFREG) {
            throw new IOException(name + " is no regular file; name one, or one that is not there yet");
        }
        if (number(found, "uid") != SYSTEM.integer("geteuid")) {
            throw new IOException(name + " belongs to another user; name a file of this one's");
        }
        if (number(found, "nlink") != 1) {
            throw new IOException(name + " has another name too (a hard link); name a file that has one");
        }
        if (SYSTEM.integer("flock", descriptor, LOCK_EX_NB) != 0) {
            throw new IOException(
                    NativeCalls.lastError() == EAGAIN
                            ? name + " is in use by another server; name another file, or stop that server"
                            : name + " cannot be locked: error number " + NativeCalls.lastError());
        }
        if (SYSTEM.integer("fchmod", descriptor, OWNER_ONLY) != 0) {
            throw new IOException(name + " cannot be kept from other users: error number " + NativeCalls.lastError());
        }
    }

    private static int number(Map<String, Object> attributes, String name) {
        return attributes.get(name) instanceof Integer number ? number : -1;
    }

    /** Bytes of it. */
    long size() throws IOException {
        return Files.size(Path.of("/proc/self/fd/" + descriptor));
    }

    /**
     * Makes it so long, all of it allocated.
     *
     * @throws IOException with one sentence for the operator, if there is no room
     */
    void allocate(long bytes) throws IOException {
        // Some file systems take all that is left before they say that it is too little.
        long missing = bytes - size();
        if (missing > 0 && missing > usable()) {
            throw noRoom(bytes);
        }
        if (SYSTEM.integer("fallocate", descriptor, 0, 0L, bytes) != 0) {
            int error = NativeCalls.lastError();
            throw switch (error) {
                case ENOSPC, EDQUOT, EFBIG -> noRoom(bytes);
                case EOPNOTSUPP ->
                    new IOException(
                            "--spill " + path + " cannot be allocated in advance (fallocate) on its file system;"
                                    + " name a file on another one, such as ext4 or xfs");
                default -> new IOException("--spill " + path + " cannot be allocated: error number " + error);
            };
        }
    }

    private IOException noRoom(long bytes) throws IOException {
        return new IOException("--spill " + path + " takes " + Math.ceilDiv(bytes, 1L << 20)
                + " MiB, and its file system has room for " + (usable() >> 20)
                + " MiB; name a smaller SIZE, or a file on another disk");
    }

    private long usable() throws IOException {
        return Files.getFileStore(parent()).getUsableSpace();
    }

    private Path parent() {
        Path parent = path.toAbsolutePath().getParent();
        return parent == null ? path : parent;
    }

    /** Makes it so long, without allocating anything. */
    void truncate(long bytes) throws IOException {
        if (SYSTEM.integer("ftruncate", descriptor, bytes) != 0) {
            throw failed("cut", NativeCalls.lastError());
        }
    }

    /**
     * Reads all of a range.
     *
     * @param position multiple of {@link #BLOCK}
     * @param length likewise
     * @param to address, likewise
     */
    void read(long position, long length, long to) throws IOException {
        transfer(PREAD, "read", position, length, to);
    }

    /** Writes all of a range; parameters as of {@link #read}. */
    void write(long position, long length, long from) throws IOException {
        transfer(PWRITE, "written to", position, length, from);
    }

    private void transfer(MethodHandle call, String what, long position, long length, long address) throws IOException {
        MemorySegment state = ERROR_STATE.get();
        for (long done = 0; done < length; ) {
            long moved;
            try {
                moved = (long) call.invokeExact(state, descriptor, address + done, length - done, position + done);
            } catch (Throwable e) {
                throw new AssertionError("a call through the linker", e);
            }
            if (moved > 0) {
                done += moved;
            } else if (moved == 0) {
                throw new IOException(path + " is shorter than it was: somebody has cut it");
            } else if ((int) ERRNO.get(state, 0L) != EINTR) {
                throw failed(what, (int) ERRNO.get(state, 0L));
            }
        }
    }

    private IOException failed(String what, int error) {
        return new IOException(path + " cannot be " + what + ": error number " + error);
    }

    /** Ends the lock, too. */
    @Override
    public void close() {
        int _ = SYSTEM.integer("close", descriptor);
    }

    @SuppressWarnings("restricted")
    private static MethodHandle find(String name) {
        return LINKER.downcallHandle(
                LINKER.defaultLookup().findOrThrow(name),
                FunctionDescriptor.of(JAVA_LONG, JAVA_INT, JAVA_LONG, JAVA_LONG, JAVA_LONG),
                Linker.Option.captureCallState("errno"));
    }
}
