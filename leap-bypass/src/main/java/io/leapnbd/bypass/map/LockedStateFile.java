package io.leapnbd.bypass.map;

import io.leapnbd.bypass.cipher.CipherKind;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.OpenOption;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.FileAttribute;
import java.nio.file.attribute.PosixFilePermission;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.HashSet;
import java.util.Set;
import java.util.UUID;
import org.jspecify.annotations.Nullable;

/**
 * The one server that may use an export's state file: it holds the lock, reads what is there without changing it, and replaces the
 * file when the export begins anew. For one thread.
 *
 * <p>A new file is made beside the old one, allocated whole, and then renamed, so that a start that fails for want of space has lost
 * nothing.
 */
public final class LockedStateFile implements AutoCloseable {

    private static final Path BOOT_ID = Path.of("/proc/sys/kernel/random/boot_id");
    private static final ValueLayout.OfLong LONG = ValueLayout.JAVA_LONG.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfInt INT = ValueLayout.JAVA_INT.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final FileAttribute<Set<PosixFilePermission>> OWNER_ONLY =
            PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rw-------"));
    private static final int HEAD = 4096;
    private static final Set<String> MEMORY_FILE_SYSTEMS = Set.of("tmpfs", "ramfs");
    private static final int ENOSPC = 28;
    private static final int EFBIG = 27;

    private final @Nullable Path path;
    private final UUID boot;
    private final @Nullable StateLock lock;
    private @Nullable StateFile found;
    private @Nullable String ignored;
    private boolean complete;

    private LockedStateFile(@Nullable Path path, @Nullable StateLock lock, UUID boot) {
        this.path = path;
        this.lock = lock;
        this.boot = boot;
    }

    /**
     * Locks the file, and maps it if it can be used.
     *
     * @param path where; null for memory that ends with the process
     * @param fresh whether an existing file is of no interest, be it what it may
     * @throws IOException if another server holds it, or it is of another version; one sentence for the operator
     */
    public static LockedStateFile open(@Nullable Path path, boolean fresh) throws IOException {
        return open(path, fresh, bootId());
    }

    /** Likewise, in a boot of this number. */
    public static LockedStateFile open(@Nullable Path path, boolean fresh, UUID boot) throws IOException {
        if (path == null) {
            return new LockedStateFile(null, null, boot);
        }
        LockedStateFile locked = new LockedStateFile(path, lock(path), boot);
        boolean read = false;
        try {
            if (!fresh && Files.exists(path, LinkOption.NOFOLLOW_LINKS)) {
                locked.read(path);
            }
            read = true;
            return locked;
        } finally {
            if (!read) {
                locked.close();
            }
        }
    }

    /** The file that was there, mapped and unchanged; null if there is none that can be used. */
    public @Nullable StateFile found() {
        return found;
    }

    /** Why the file that was there is not {@link #found}; null if there was none. */
    public @Nullable String ignored() {
        return ignored;
    }

    /** Whether what {@link #found} does not name is blank: it was written in this boot, or closed in good order. */
    public boolean complete() {
        return complete;
    }

    /** Whether the file does not outlive the machine's present boot: it is in memory. */
    public boolean goesWithTheMachine() {
        Path at = path == null ? null : path.toAbsolutePath().getParent();
        if (at == null) {
            return true;
        }
        if (!Files.isReadable(BOOT_ID)) {
            // Nobody can tell one boot from another.
            return false;
        }
        try {
            return MEMORY_FILE_SYSTEMS.contains(Files.getFileStore(at).type());
        } catch (IOException e) {
            return false;
        }
    }

    /** Number of this boot of the machine. */
    public UUID boot() {
        return boot;
    }

    /**
     * Begins a blank file in the place of the one that was there. {@link #found} must not be used any more.
     *
     * @throws IOException if there is no room for it; the old one is untouched then
     */
    public StateFile create(long size, int slabShift) throws IOException {
        return create(size, slabShift, CipherKind.NONE);
    }

    /**
     * The same for pages that are encrypted. The secret of what was there is wiped.
     *
     * @throws IOException likewise
     */
    public StateFile create(long size, int slabShift, CipherKind cipher) throws IOException {
        Path to = path;
        if (to == null) {
            return StateFile.inMemory(size, slabShift, cipher);
        }
        Path fresh = to.resolveSibling(to.getFileName() + ".new");
        Files.deleteIfExists(fresh);
        long length = StateFile.length(size, slabShift, cipher);
        Arena arena = Arena.ofShared();
        SealSpace space = null;
        boolean done = false;
        try (FileChannel file = open(fresh, StandardOpenOption.CREATE_NEW)) {
            space = SealSpace.of(fresh);
            allocate(fresh, length, space);
            long seals = StateSeals.wordsLength(size, slabShift, cipher);
            space.extend(length + seals);
            StateFile state = StateFile.begin(
                    arena,
                    file.map(FileChannel.MapMode.READ_WRITE, 0, length, arena),
                    file.map(FileChannel.MapMode.READ_WRITE, length, seals, arena),
                    space,
                    size,
                    slabShift,
                    cipher);
            replace(fresh, to);
            dropFound();
            done = true;
            return state;
        } finally {
            if (!done) {
                arena.close();
                if (space != null) {
                    space.close();
                }
                Files.deleteIfExists(fresh);
            }
        }
    }

    /** The secret of what was there is wiped, since a disk keeps what was in a file that is gone. */
    private static void replace(Path fresh, Path old) throws IOException {
        if (!Files.exists(old, LinkOption.NOFOLLOW_LINKS)) {
            Files.move(fresh, old, StandardCopyOption.ATOMIC_MOVE);
            return;
        }
        try (FileChannel before = open(old)) {
            Files.move(fresh, old, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
            StateSeals.wipeSecret(before);
        }
    }

    /** Hands {@link #found} over: who takes it closes it. */
    public StateFile take() {
        StateFile taken = found;
        if (taken == null) {
            throw new IllegalStateException("there is no state file to go on with");
        }
        found = null;
        return taken;
    }

    /** Gives the lock back, and removes its file, after every {@link StateFile} that was handed out is closed. Leaves the state file as it
     * is. */
    @Override
    public void close() throws IOException {
        dropFound();
        if (lock != null) {
            lock.close();
        }
    }

    private void dropFound() {
        StateFile old = found;
        found = null;
        if (old != null) {
            old.abandon();
        }
    }

    private void read(Path from) throws IOException {
        try (FileChannel file = open(from)) {
            read(from, file);
        }
    }

    private void read(Path from, FileChannel file) throws IOException {
        long length = file.size();
        if (length == 0) {
            return;
        }
        if (length < HEAD) {
            ignored = from + " is cut short";
            return;
        }
        StateHeader header;
        int[] slot = new int[1];
        try (Arena reading = Arena.ofConfined()) {
            MemorySegment head = file.map(FileChannel.MapMode.READ_ONLY, 0, HEAD, reading);
            header = StateFile.readHeader(head, slot);
            if (header == null && head.get(LONG, 0) != 0) {
                int version = head.get(INT, StateHeader.AT_VERSION);
                if (head.get(LONG, 0) != StateHeader.MAGIC) {
                    throw new IOException(from + " is not a state file; name another --state-dir, or remove it");
                }
                if (version != StateHeader.VERSION) {
                    throw new IOException(from + " was written by another version of leap-nbd (layout " + version
                            + ", this one writes " + StateHeader.VERSION
                            + "); end the export with that version, or start it blank with --fresh");
                }
            }
        }
        if (header == null) {
            ignored = from + " has no header that is whole";
        } else if (length
                != StateFile.length(header.size(), header.slabShift(), header.cipher())
                        + StateSeals.wordsLength(header.size(), header.slabShift(), header.cipher())) {
            ignored = from + " is cut short";
        } else if (header.owner().equals(StateHeader.NOBODY)) {
            ignored = from + " is of a server that did not get to the end of its start";
        } else {
            Arena arena = Arena.ofShared();
            long allocated = StateFile.length(header.size(), header.slabShift(), header.cipher());
            StateFile state = new StateFile(
                    arena,
                    file.map(FileChannel.MapMode.READ_WRITE, 0, allocated, arena),
                    file.map(FileChannel.MapMode.READ_WRITE, allocated, length - allocated, arena),
                    SealSpace.of(from),
                    header,
                    slot[0]);
            complete = header.boot().equals(boot) || state.closedClean();
            found = state;
        }
    }

    /** The lock is on a file of its own, which is never replaced. */
    private static StateLock lock(Path path) throws IOException {
        Path folder = path.toAbsolutePath().getParent();
        if (folder != null) {
            Files.createDirectories(folder);
        }
        StateLock lock = StateLock.take(path.resolveSibling(path.getFileName() + ".lock"));
        if (lock == null) {
            throw new IOException("another server of this export is running on this machine: it holds " + path
                    + "; stop it, or give this one another --export or --state-dir");
        }
        return lock;
    }

    static FileChannel open(Path path, StandardOpenOption... more) throws IOException {
        Set<OpenOption> options = new HashSet<>(Set.of(more));
        options.addAll(Set.of(StandardOpenOption.READ, StandardOpenOption.WRITE, LinkOption.NOFOLLOW_LINKS));
        if (Files.isSymbolicLink(path)) {
            throw new IOException(path + " is a link, which is not followed: remove it, or name another --state-dir");
        }
        return FileChannel.open(path, options, OWNER_ONLY);
    }

    private static void allocate(Path path, long length, SealSpace space) throws IOException {
        int error = space.reserve(0, length);
        if (error == ENOSPC || error == EFBIG) {
            throw new IOException("the state file needs " + (length >> 10) + "K in "
                    + path.toAbsolutePath().getParent()
                    + ", and there is not enough room; make room, or name another --state-dir");
        }
        if (error != 0) {
            throw new IOException(path + " cannot be allocated: error number " + error);
        }
    }

    private static UUID bootId() {
        try {
            return UUID.fromString(Files.readString(BOOT_ID).strip());
        } catch (IOException | IllegalArgumentException e) {
            // Then every start is another boot, and files are joined with what donors say.
            return UUID.randomUUID();
        }
    }
}
