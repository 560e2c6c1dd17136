package io.leapnbd.bypass.map;

import io.leapnbd.bypass.cipher.CipherKind;
import io.leapnbd.donor.memory.MappedMemory;
import io.leapnbd.donor.memory.MemoryException;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.VarHandle;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.UUID;
import java.util.zip.CRC32C;
import org.jspecify.annotations.Nullable;

/**
 * What a server must still know after a {@code kill -9}: a file that is mapped into memory, meant for a {@code tmpfs}, so that to write
 * it is to store to memory and that it goes when the machine does, as the contents of a swap device may.
 *
 * <pre>
 * +--------------------------------------------------------------------------------+
 * | 0     two {@link StateHeader headers}; the newer one that is whole counts       |
 * | 2 Ki  of {@link StateSeals}: a mark, and the secret of encrypted pages              |
 * | 4 Ki  donors:    {@link DonorRows}, 512 of 160 bytes                            |
 * | 84 Ki slabs:     {@link SlabRows}, 320 bytes for each                            |
 * |       written:   a bit a page                                                  |
 * |       lost:      a bit a page                                                  |
 * |       seals:     {@link StateSeals}; the last part is allocated slab by slab        |
 * +--------------------------------------------------------------------------------+
 * </pre>
 *
 * <p><b>Order.</b> Every field is written before the step that depends on it: a slab's row before the first write to the slab is sent, a
 * page's bit before its write is sent. So after a crash the file may name a page written that never was, which then reads as zeros from
 * its slab; never the other way round.
 *
 * <p><b>A row is whole or not there.</b> Its checksum is written before its mark. Headers and rows of slabs are never changed in place: there
 * are two of each, and the older one is overwritten, with a higher number.
 *
 * <p><b>Space.</b> All but the seals is allocated when the file is made ({@link LockedStateFile}), so that no store to it can fail later for want of
 * a block. The seals of a slab are allocated before it is placed: {@link StateSeals#reserve}.
 *
 * <p>Without a path the same structure lives in anonymous memory and ends with the process.
 *
 * <p>Threads: rows of slabs are changed under the slab's lock; headers and donors' rows under locks of their own; bitmaps by anybody.
 */
public final class StateFile implements AutoCloseable {

    /** Most donors that a device may have. */
    public static final int MAX_DONORS = 128;

    static final int PAGE_SHIFT = 12;

    private static final int HEADER_SLOT = 512;
    private static final int AT_DONORS = 4096;
    private static final long AT_SLABS = roundUp(AT_DONORS + DonorRows.LENGTH);

    /** No CRC. */
    private static final long NO_SUM = -1;

    private final Arena arena;
    private final MemorySegment memory;
    private final long slabs;
    private final long writtenAt;
    private final long lostAt;
    private final long bitmapLength;
    private final DonorRows donors;
    private final SlabRows rows;
    private final StateSeals seals;
    private StateHeader header;
    private int newerSlot;
    private Map<UUID, BoundDonor> bound = Map.of();

    /**
     * Over memory that is a state file's already, or all zeros.
     *
     * @param memory all but the seals
     * @param sealWords the seals
     * @param space where they are allocated, and closed with this; null if they need not be
     */
    StateFile(
            Arena arena,
            MemorySegment memory,
            MemorySegment sealWords,
            @Nullable SealSpace space,
            StateHeader header,
            int newerSlot) {
        this.arena = arena;
        this.memory = memory;
        this.header = header;
        this.newerSlot = newerSlot;
        slabs = slabs(header.size(), header.slabShift());
        bitmapLength = bitmapLength(header.size(), header.slabShift());
        writtenAt = writtenAt(slabs);
        lostAt = writtenAt + roundUp(bitmapLength);
        donors = new DonorRows(memory.asSlice(AT_DONORS, DonorRows.LENGTH));
        rows = new SlabRows(memory.asSlice(AT_SLABS, slabs * SlabRows.LENGTH));
        seals = new StateSeals(memory, sealWords, space, header, lostAt + roundUp(bitmapLength));
    }

    /** In memory only; blank, and nobody's. Of pages that are not encrypted. */
    public static StateFile inMemory(long size, int slabShift) {
        return inMemory(size, slabShift, CipherKind.NONE);
    }

    /** In memory only; blank, and nobody's. */
    public static StateFile inMemory(long size, int slabShift, CipherKind cipher) {
        Arena arena = Arena.ofShared();
        try {
            // Memory that is not touched takes none: there are more seals than will be needed.
            MemorySegment seals = MappedMemory.reserve(StateSeals.wordsLength(size, slabShift, cipher), false)
                    .segment(arena);
            return begin(
                    arena, arena.allocate(length(size, slabShift, cipher), 4096), seals, null, size, slabShift, cipher);
        } catch (MemoryException e) {
            arena.close();
            throw new UncheckedIOException("there is no room for the seals of pages", e);
        }
    }

    /** In memory that is all zeros; blank, and nobody's. The file closes the arena. */
    static StateFile begin(
            Arena arena,
            MemorySegment memory,
            MemorySegment sealWords,
            @Nullable SealSpace space,
            long size,
            int slabShift,
            CipherKind cipher) {
        StateFile state = new StateFile(arena, memory, sealWords, space, StateHeader.blank(size, slabShift, cipher), 1);
        state.publish(state.header);
        return state;
    }

    /** Bytes of a file for a device that are allocated at once: all but the seals, which follow. */
    public static long length(long size, int slabShift, CipherKind cipher) {
        return writtenAt(slabs(size, slabShift))
                + 2 * roundUp(bitmapLength(size, slabShift))
                + StateSeals.allocatedLength(cipher);
    }

    /** The header that counts, in a mapped file's first bytes; null if neither is whole. */
    static @Nullable StateHeader readHeader(MemorySegment head, int[] slot) {
        StateHeader newest = null;
        for (int i = 0; i < 2; i++) {
            StateHeader one = StateHeader.read(head.asSlice((long) i * HEADER_SLOT, HEADER_SLOT));
            if (one != null && (newest == null || one.sequence() > newest.sequence())) {
                newest = one;
                slot[0] = i;
            }
        }
        return newest;
    }

    /** What the file says of itself. */
    public synchronized StateHeader header() {
        return header;
    }

    /**
     * A server begins to claim with this file: donors that it has claimed, should it be killed, belong to this file as those of the
     * owner do. Rows and bitmaps may change from here on.
     *
     * @param boot of the machine now, if the file is believed to be complete; otherwise {@link StateHeader#NOBODY}, so that a later start
     *     does not believe it either
     */
    public synchronized void claiming(UUID instance, long term, UUID boot) {
        publish(header.withClaimer(instance, term, boot));
    }

    /** The file is the truth about what this server has claimed, in this boot. */
    public synchronized void own(UUID instance, UUID content, long term, UUID boot) {
        publish(header.withOwner(instance, content, term, boot));
    }

    /** Whether rows and bitmaps are as they were when the file was closed in good order. */
    boolean closedClean() {
        long sum = header.clean() ? contentsSum() : NO_SUM;
        return sum != NO_SUM && header.cleanSum() == sum;
    }

    private void publish(StateHeader next) {
        int slot = 1 - newerSlot;
        StateHeader numbered = next.withSequence(header.sequence() + 1);
        numbered.write(memory.asSlice((long) slot * HEADER_SLOT, HEADER_SLOT));
        VarHandle.releaseFence();
        header = numbered;
        newerSlot = slot;
    }

    private long contentsSum() {
        CRC32C sum = new CRC32C();
        // Rows too: they are the rest of what is changed without a header.
        long step = 1L << 20;
        for (long at = AT_DONORS; at < memory.byteSize(); at += step) {
            sum.update(
                    memory.asSlice(at, Math.min(step, memory.byteSize() - at)).asByteBuffer());
        }
        try {
            for (int slab = 0; slab < slabs; slab++) {
                if (rows.isPlaced(slab)) {
                    seals.addTo(sum, slab);
                }
            }
        } catch (IOException e) {
            // Then it is a sum that nothing has.
            return NO_SUM;
        }
        return sum.getValue();
    }

    /**
     * A donor process that rows may name.
     *
     * @param incarnation its identity
     * @param address where it was found
     * @param epoch of the last claim there that is known
     * @param instance the server that made it
     */
    public record DonorRow(UUID incarnation, String address, long epoch, UUID instance) {}

    /** All donor processes. Of two rows of one process the one with the higher epoch counts. */
    public List<DonorRow> donors() {
        return donors.all();
    }

    /** Adds a donor process, or says anew what is known of it. Before the first row that names it. */
    public void putDonor(DonorRow donor) {
        donors.put(donor);
    }

    /** Forgets a donor process that no row names any more. */
    public void removeDonor(UUID incarnation) {
        donors.remove(incarnation);
    }

    /** Slabs of the device. */
    public int slabs() {
        return (int) slabs;
    }

    /** Where a slab is; null if it is nowhere. */
    public @Nullable SlabRow row(int slab) {
        return rows.get(slab);
    }

    /** Whether a slab is somewhere. */
    public boolean isPlaced(int slab) {
        return rows.isPlaced(slab);
    }

    /**
     * Says which donor of the server's list each process is, for {@link #placement}.
     *
     * @param places by identity
     */
    public void bind(Map<UUID, Integer> places) {
        bind(places, Set.of());
    }

    /**
     * Likewise, at a start that waits for some donors, so that it could not tell them of the copies.
     *
     * @param waited their identities
     */
    public synchronized void bind(Map<UUID, Integer> places, Set<UUID> waited) {
        Map<UUID, BoundDonor> all = new HashMap<>();
        places.forEach((incarnation, place) ->
                all.put(incarnation, new BoundDonor(incarnation, place, waited.contains(incarnation))));
        bound = all;
    }

    /** A donor process by its place in the server's list. Rows of one process share its number. */
    private record BoundDonor(UUID incarnation, int place, boolean waited) {}

    /** Where a slab is, at donors of the server's list; null if it is nowhere. */
    @Nullable
    Placement placement(int slab) {
        SlabRow row = rows.get(slab);
        if (row == null) {
            return null;
        }
        // A slab that was never placed has never had another copy.
        boolean told = row.copies().size() == 1 && row.copies().getFirst().grantVersion() == row.generation();
        List<Member> members = new ArrayList<>();
        List<Member.State> states = new ArrayList<>();
        for (SlabRow.Copy copy : row.copies()) {
            BoundDonor donor = bound.get(copy.incarnation());
            if (donor == null) {
                throw new IllegalStateException("slab " + slab + " is at a donor process that nobody has named");
            }
            members.add(new Member(donor.place(), donor.incarnation(), copy.handle(), copy.grantVersion()));
            states.add(copy.state());
            // One that was heard was told, and what the others were told before does not count any more.
            told |= copy.state() == Member.State.LIVE && !donor.waited();
        }
        return Placement.of(row.generation(), members, states, told);
    }

    /** Writes down where a slab is, or that it is nowhere. */
    void putPlacement(int slab, @Nullable Placement placement) {
        if (placement == null) {
            rows.put(slab, null);
            return;
        }
        List<SlabRow.Copy> copies = new ArrayList<>(placement.size());
        for (int i = 0; i < placement.size(); i++) {
            Member member = placement.member(i);
            copies.add(
                    new SlabRow.Copy(member.incarnation(), member.handle(), member.grantVersion(), placement.state(i)));
        }
        rows.put(slab, new SlabRow(placement.generation(), copies));
    }

    /** Whether a slab's row is not what was written. */
    public boolean broken(int slab) {
        return rows.broken(slab);
    }

    /** Says where a slab is; null says that it is nowhere. */
    public void putRow(int slab, @Nullable SlabRow row) {
        rows.put(slab, row);
    }

    /**
     * Takes over what a donor says of the pages of a slab that it holds. At start only.
     *
     * @param written pages of the slab that the donor calls written
     * @param lostThere pages that it calls lost
     * @param join whether the file's own bits are of this very slab: then a page is written if either says so. What is lost the donor knows,
     *     since it was told with the grant
     */
    public void mark(int slab, BitSet written, BitSet lostThere, boolean join) {
        PageBitmap writtenBits = written();
        PageBitmap lostBits = lost();
        long first = firstPage(slab);
        long end = firstPage(slab + 1);
        if (!join) {
            writtenBits.clear(first, end);
        }
        lostBits.clear(first, end);
        for (int from = written.nextSetBit(0); from >= 0; ) {
            int to = written.nextClearBit(from);
            writtenBits.set(first + from, Math.min(end, first + to));
            from = written.nextSetBit(to);
        }
        for (int from = lostThere.nextSetBit(0); from >= 0; ) {
            int to = lostThere.nextClearBit(from);
            lostBits.set(first + from, Math.min(end, first + to));
            from = lostThere.nextSetBit(to);
        }
    }

    /**
     * Says that a slab is gone, and with it what was written there. At start only.
     *
     * @param whole whether every page of it is lost; otherwise those that the file calls written are
     */
    public void lose(int slab, boolean whole) {
        long first = firstPage(slab);
        long end = firstPage(slab + 1);
        if (whole) {
            lost().set(first, end);
            written().clear(first, end);
        } else {
            written().moveTo(lost(), first, end);
        }
        rows.put(slab, null);
    }

    /** Whether any page of a slab is lost. */
    public boolean anyLost(int slab) {
        return lost().any(firstPage(slab), firstPage(slab + 1));
    }

    /**
     * A server begins to encrypt pages, under keys that no other has used. Before its loops begin. Does nothing if pages are not encrypted.
     *
     * @param given the secret, if the file does not hold it
     * @throws IOException if there were too many lives of these contents
     */
    public void beginLife(byte @Nullable [] given) throws IOException {
        seals.beginLife(header.content(), given, rows);
    }

    /** What is known of pages' bytes. */
    public StateSeals seals() {
        return seals;
    }

    private long firstPage(int slab) {
        return (long) slab << (header.slabShift() - PAGE_SHIFT);
    }

    /** A bit for each page that is written. */
    PageBitmap written() {
        return new PageBitmap(memory.asSlice(writtenAt, bitmapLength));
    }

    /** A bit for each page that is lost. */
    PageBitmap lost() {
        return new PageBitmap(memory.asSlice(lostAt, bitmapLength));
    }

    /** Writes a clean end and unmaps. No loop may still use what this gave out. */
    @Override
    public void close() {
        if (!header.owner().equals(StateHeader.NOBODY)) {
            synchronized (this) {
                publish(header.withClean(contentsSum()));
            }
        }
        abandon();
    }

    /** Unmaps, and leaves the file as it is. */
    public void abandon() {
        arena.close();
        seals.close();
    }

    static long slabs(long size, int slabShift) {
        return (size + (1L << slabShift) - 1) >>> slabShift;
    }

    private static long bitmapLength(long size, int slabShift) {
        return (slabs(size, slabShift) << (slabShift - PAGE_SHIFT)) / Byte.SIZE;
    }

    private static long writtenAt(long slabs) {
        return roundUp(AT_SLABS + slabs * SlabRows.LENGTH);
    }

    static long roundUp(long bytes) {
        return (bytes + 4095) & -4096;
    }

    /** For messages. */
    @Override
    public String toString() {
        return "state of " + header.content();
    }
}
