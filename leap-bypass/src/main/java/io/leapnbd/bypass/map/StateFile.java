package io.leapnbd.bypass.map;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.channels.OverlappingFileLockException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.UUID;
import org.jspecify.annotations.Nullable;

/**
 * What a server must still know after a {@code kill -9}: a file that is mapped into memory, meant for a {@code tmpfs}, so
 * that to write it is to store to memory and that it goes when the machine does, as the contents of a swap device may.
 *
 * <pre>
 * +--------------------------------------------------------------------------------+
 * | 0     magic (8)  version (4)  slab shift (4)  size (8)  epoch (8)  content (16) |
 * | 4 Ki  donors:    256 rows of  incarnation (16)  name, 0-terminated (240)        |
 * | 68 Ki slabs:     a row each of  donor + 1 (4)  handle (4)  grant version (8)     |
 * |       written:   a bit a page                                                  |
 * |       lost:      a bit a page                                                  |
 * +--------------------------------------------------------------------------------+
 * </pre>
 *
 * <p>Every field is written before the step that depends on it: a slab's row before the first write to the slab is sent, a
 * page's bit before its write is sent. So after a crash the file may name a page written that never was, which then reads as
 * zeros from its slab; never the other way round.
 *
 * <p>Without a path the same structure lives in anonymous memory and ends with the process.
 */
public final class StateFile implements AutoCloseable {

    /** Most donors that a device may have. */
    public static final int MAX_DONORS = 256;

    private static final long MAGIC = 0x4C45_4150_4D41_5031L;
    private static final int VERSION = 1;
    private static final int AT_MAGIC = 0;
    private static final int AT_VERSION = 8;
    private static final int AT_SLAB_SHIFT = 12;
    private static final int AT_SIZE = 16;
    private static final int AT_EPOCH = 24;
    private static final int AT_CONTENT = 32;
    private static final int AT_DONORS = 4096;
    private static final int DONOR_ROW = 256;
    private static final int DONOR_NAME = 240;
    private static final int AT_SLABS = AT_DONORS + MAX_DONORS * DONOR_ROW;
    private static final int SLAB_ROW = 16;
    private static final int PAGE_SHIFT = 12;

    private static final ValueLayout.OfLong LONG = ValueLayout.JAVA_LONG.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfInt INT = ValueLayout.JAVA_INT.withOrder(ByteOrder.LITTLE_ENDIAN);

    private final Arena arena = Arena.ofShared();
    private final @Nullable FileChannel file;
    private final MemorySegment memory;
    private final long writtenAt;
    private final long lostAt;
    private final long bitmapLength;
    private final boolean restored;

    /**
     * Opens or creates the file, and locks it against a second server.
     *
     * @param path where, or null for none
     * @param size of the device, in bytes
     * @param slabShift binary logarithm of the slab size
     * @param fresh whether to forget what an existing file tells
     * @throws IOException if the file cannot be used; the message says why and what to do
     */
    public StateFile(@Nullable Path path, long size, int slabShift, boolean fresh) throws IOException {
        long slabs = (size + (1L << slabShift) - 1) >>> slabShift;
        long pages = slabs << (slabShift - PAGE_SHIFT);
        bitmapLength = pages / Byte.SIZE;
        writtenAt = roundUp(AT_SLABS + slabs * SLAB_ROW);
        lostAt = roundUp(writtenAt + bitmapLength);
        long length = roundUp(lostAt + bitmapLength);
        if (path == null) {
            file = null;
            memory = arena.allocate(length, 4096);
            restored = false;
        } else {
            file = open(path);
            boolean known = false;
            try {
                known = !fresh && file.size() > 0 && matches(file, path, size, slabShift, length);
                if (!known) {
                    file.truncate(0);
                }
                memory = file.map(FileChannel.MapMode.READ_WRITE, 0, length, arena);
            } catch (IOException | RuntimeException e) {
                file.close();
                arena.close();
                throw e;
            }
            restored = known;
        }
        if (!restored) {
            memory.set(INT, AT_VERSION, VERSION);
            memory.set(INT, AT_SLAB_SHIFT, slabShift);
            memory.set(LONG, AT_SIZE, size);
            memory.set(LONG, AT_MAGIC, MAGIC);
        }
    }

    /** Whether the file was there and belongs to this device. */
    public boolean restored() {
        return restored;
    }

    /** Highest epoch that a server with this file has claimed. */
    public long epoch() {
        return memory.get(LONG, AT_EPOCH);
    }

    /** Remembers the epoch and the contents of this server. */
    public void claim(long epoch, UUID content) {
        putUuid(AT_CONTENT, content);
        memory.set(LONG, AT_EPOCH, epoch);
    }

    /** The contents' random number. */
    public UUID content() {
        return uuid(AT_CONTENT);
    }

    /** Name of the donor in a row; empty if the row is. */
    public String donorName(int row) {
        return memory.getString(donorAt(row) + 16, StandardCharsets.UTF_8);
    }

    /** The process that was behind the donor in a row. */
    public UUID donorIncarnation(int row) {
        return uuid(donorAt(row));
    }

    /** Fills a donor's row. */
    public void putDonor(int row, String name, UUID incarnation) {
        byte[] bytes = name.getBytes(StandardCharsets.UTF_8);
        if (bytes.length >= DONOR_NAME) {
            throw new IllegalArgumentException(
                    "the donor's name is longer than " + (DONOR_NAME - 1) + " bytes: " + name);
        }
        memory.asSlice(donorAt(row), DONOR_ROW).fill((byte) 0);
        putUuid(donorAt(row), incarnation);
        MemorySegment.copy(bytes, 0, memory, ValueLayout.JAVA_BYTE, donorAt(row) + 16, bytes.length);
    }

    /** Where a slab is; null if it is nowhere. */
    @Nullable
    Placement placement(int slab) {
        long at = slabAt(slab);
        int donor = memory.get(INT, at) - 1;
        if (donor < 0) {
            return null;
        }
        return Placement.of(donor, donorIncarnation(donor), memory.get(INT, at + 4), memory.get(LONG, at + 8));
    }

    void putPlacement(int slab, @Nullable Placement placement) {
        long at = slabAt(slab);
        memory.set(INT, at, 0);
        if (placement != null) {
            Member member = placement.primary();
            memory.set(INT, at + 4, member.handle());
            memory.set(LONG, at + 8, member.grantVersion());
            memory.set(INT, at, member.donor() + 1);
        }
    }

    PageBitmap written() {
        return new PageBitmap(memory.asSlice(writtenAt, bitmapLength));
    }

    PageBitmap lost() {
        return new PageBitmap(memory.asSlice(lostAt, bitmapLength));
    }

    /** Unmaps and unlocks. No loop may still use what this gave out. */
    @Override
    public void close() throws IOException {
        arena.close();
        if (file != null) {
            file.close();
        }
    }

    private static FileChannel open(Path path) throws IOException {
        Path folder = path.toAbsolutePath().getParent();
        if (folder != null) {
            Files.createDirectories(folder);
        }
        FileChannel channel =
                FileChannel.open(path, StandardOpenOption.CREATE, StandardOpenOption.READ, StandardOpenOption.WRITE);
        FileLock lock = null;
        try {
            lock = channel.tryLock();
        } catch (OverlappingFileLockException e) {
            // Another device of this very process has it: as good as locked.
            lock = null;
        } finally {
            if (lock == null) {
                channel.close();
            }
        }
        if (lock == null) {
            throw new IOException("another server of this export is running: it holds " + path
                    + "; stop it, or give this one another --export or --state-dir");
        }
        return channel;
    }

    private static boolean matches(FileChannel file, Path path, long size, int slabShift, long length)
            throws IOException {
        try (Arena reading = Arena.ofConfined()) {
            if (file.size() < AT_DONORS) {
                throw new IOException(path + " is cut short; --fresh starts the export blank");
            }
            MemorySegment head = file.map(FileChannel.MapMode.READ_ONLY, 0, AT_DONORS, reading);
            if (head.get(LONG, AT_MAGIC) != MAGIC || head.get(INT, AT_VERSION) != VERSION) {
                throw new IOException(path + " is not a state file of this version; --fresh starts the export blank");
            }
            if (head.get(LONG, AT_SIZE) != size || head.get(INT, AT_SLAB_SHIFT) != slabShift) {
                throw new IOException("the export was served before with --size " + head.get(LONG, AT_SIZE)
                        + " in slabs of " + (1L << head.get(INT, AT_SLAB_SHIFT))
                        + " bytes; give the same, or --fresh to start blank");
            }
            if (file.size() != length) {
                throw new IOException(path + " is cut short; --fresh starts the export blank");
            }
        }
        return true;
    }

    private UUID uuid(long at) {
        return new UUID(memory.get(LONG, at), memory.get(LONG, at + 8));
    }

    private void putUuid(long at, UUID id) {
        memory.set(LONG, at, id.getMostSignificantBits());
        memory.set(LONG, at + 8, id.getLeastSignificantBits());
    }

    private static long donorAt(int row) {
        return AT_DONORS + (long) row * DONOR_ROW;
    }

    private static long slabAt(int slab) {
        return AT_SLABS + (long) slab * SLAB_ROW;
    }

    private static long roundUp(long bytes) {
        return (bytes + 4095) & -4096;
    }
}
