package io.leapnbd.bypass.map;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.VarHandle;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.List;
import java.util.UUID;
import java.util.zip.CRC32C;
import org.jspecify.annotations.Nullable;

/**
 * Where each slab is, in a {@link StateFile}. A row is kept twice, so that it can be changed: the older one is overwritten, and the
 * newer one that is whole counts. A process that is killed in the middle leaves the row as it was.
 *
 * <pre>
 *  0 mark  4 checksum of the rest  8 generation  16 slab  20 sequence  24 copies  28 unused
 *  32 four times: incarnation (16)  handle (4)  state (4)  version of the grant (8)
 * </pre>
 *
 * <p>One thread at a time for each slab.
 */
final class SlabRows {

    /** Bytes for each slab. */
    static final int LENGTH = 320;

    private static final int ONE = LENGTH / 2;
    private static final int THERE = 0x4c45_4150;
    private static final int AT_SUM = 4;
    private static final int AT_GENERATION = 8;
    private static final int AT_SLAB = 16;
    private static final int AT_SEQUENCE = 20;
    private static final int AT_COPIES = 24;
    private static final int FIRST_COPY = 32;
    private static final int COPY = 32;

    private static final ValueLayout.OfLong LONG = ValueLayout.JAVA_LONG.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfInt INT = ValueLayout.JAVA_INT.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final Member.State[] STATES = Member.State.values();

    private final MemorySegment memory;

    /** Over so many rows. */
    SlabRows(MemorySegment memory) {
        this.memory = memory;
    }

    /** What a row says; null if the slab is nowhere. */
    @Nullable
    SlabRow get(int slab) {
        long at = newest(slab);
        if (at < 0) {
            return null;
        }
        int count = memory.get(INT, at + AT_COPIES);
        if (count < 1 || count > Placement.MAX_MEMBERS) {
            return null;
        }
        List<SlabRow.Copy> copies = new ArrayList<>(count);
        for (int i = 0; i < count; i++) {
            long copy = at + FIRST_COPY + (long) i * COPY;
            int state = memory.get(INT, copy + 20);
            copies.add(new SlabRow.Copy(
                    new UUID(memory.get(LONG, copy), memory.get(LONG, copy + 8)),
                    memory.get(INT, copy + 16),
                    memory.get(LONG, copy + 24),
                    STATES[Math.clamp(state, 0, STATES.length - 1)]));
        }
        return new SlabRow(memory.get(LONG, at + AT_GENERATION), List.copyOf(copies));
    }

    /** Slabs of the device. */
    int count() {
        return (int) (memory.byteSize() / LENGTH);
    }

    /** Whether a slab is somewhere. */
    boolean isPlaced(int slab) {
        long at = newest(slab);
        return at >= 0 && memory.get(INT, at + AT_COPIES) > 0;
    }

    /** Writes a row down; null says that the slab is nowhere. */
    void put(int slab, @Nullable SlabRow row) {
        long newer = newest(slab);
        if (newer < 0 && row == null) {
            return;
        }
        long first = (long) slab * LENGTH;
        long at = newer == first ? first + ONE : first;
        int sequence = newer < 0 ? 0 : memory.get(INT, newer + AT_SEQUENCE) + 1;
        memory.set(INT, at, 0);
        VarHandle.releaseFence();
        memory.asSlice(at + AT_SUM, ONE - AT_SUM).fill((byte) 0);
        memory.set(INT, at + AT_SLAB, slab);
        memory.set(INT, at + AT_SEQUENCE, sequence);
        if (row != null) {
            memory.set(LONG, at + AT_GENERATION, row.generation());
            memory.set(INT, at + AT_COPIES, row.copies().size());
            long copy = at + FIRST_COPY;
            for (SlabRow.Copy one : row.copies()) {
                memory.set(LONG, copy, one.incarnation().getMostSignificantBits());
                memory.set(LONG, copy + 8, one.incarnation().getLeastSignificantBits());
                memory.set(INT, copy + 16, one.handle());
                memory.set(INT, copy + 20, one.state().ordinal());
                memory.set(LONG, copy + 24, one.grantVersion());
                copy += COPY;
            }
        }
        memory.set(INT, at + AT_SUM, sum(at));
        VarHandle.releaseFence();
        memory.set(INT, at, THERE);
    }

    /** Whether a slab's row is not what was written. */
    boolean broken(int slab) {
        long first = (long) slab * LENGTH;
        return isBroken(first, slab) || isBroken(first + ONE, slab);
    }

    private boolean isBroken(long at, int slab) {
        int mark = memory.get(INT, at);
        return mark != 0 && (mark != THERE || !whole(at, slab));
    }

    private boolean whole(long at, int slab) {
        return memory.get(INT, at) == THERE
                && memory.get(INT, at + AT_SLAB) == slab
                && memory.get(INT, at + AT_SUM) == sum(at);
    }

    /** Where the row that counts begins; -1 if there is none. */
    private long newest(int slab) {
        long first = (long) slab * LENGTH;
        long second = first + ONE;
        boolean one = whole(first, slab);
        boolean two = whole(second, slab);
        if (one && two) {
            return memory.get(INT, second + AT_SEQUENCE) - memory.get(INT, first + AT_SEQUENCE) > 0 ? second : first;
        }
        return one ? first : two ? second : -1;
    }

    private int sum(long at) {
        CRC32C sum = new CRC32C();
        sum.update(memory.asSlice(at + AT_GENERATION, ONE - AT_GENERATION).asByteBuffer());
        return (int) sum.getValue();
    }
}
