package io.leapnbd.bypass.map;

import io.leapnbd.bypass.map.StateFile.DonorRow;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.VarHandle;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.UUID;
import java.util.zip.CRC32C;
import org.jspecify.annotations.Nullable;

/**
 * The donor processes that a {@link StateFile} knows. A row is never changed in place: what is known anew is written to a free row, and the
 * older one is forgotten after that.
 *
 * <pre>
 *  0 mark  4 checksum of the rest  8 incarnation  24 instance  40 epoch  48 length of the address  52 address
 * </pre>
 *
 * <p>Any thread.
 */
final class DonorRows {

    private static final int ROWS = 4 * StateFile.MAX_DONORS;
    private static final int ROW = 160;

    /** Bytes of all rows. */
    static final long LENGTH = (long) ROWS * ROW;

    private static final int THERE = 0x4c45_4150;
    private static final int AT_SUM = 4;
    private static final int AT_INCARNATION = 8;
    private static final int AT_INSTANCE = 24;
    private static final int AT_EPOCH = 40;
    private static final int AT_LENGTH = 48;
    private static final int AT_ADDRESS = 52;

    private static final ValueLayout.OfLong LONG = ValueLayout.JAVA_LONG.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfInt INT = ValueLayout.JAVA_INT.withOrder(ByteOrder.LITTLE_ENDIAN);

    private final MemorySegment memory;

    /** Over {@link #LENGTH} bytes. */
    DonorRows(MemorySegment memory) {
        this.memory = memory;
    }

    /** All of them. Of two rows of one process the one with the higher epoch counts. */
    synchronized List<DonorRow> all() {
        List<DonorRow> rows = new ArrayList<>();
        for (int row = 0; row < ROWS; row++) {
            DonorRow one = get(row);
            if (one != null) {
                DonorRow other = find(rows, one.incarnation());
                if (other == null) {
                    rows.add(one);
                } else if (other.epoch() < one.epoch()) {
                    rows.set(rows.indexOf(other), one);
                }
            }
        }
        return rows;
    }

    /** Adds a process, or says anew what is known of it. */
    synchronized void put(DonorRow donor) {
        int free = -1;
        for (int row = ROWS - 1; row >= 0; row--) {
            if (get(row) == null) {
                free = row;
            }
        }
        if (free < 0) {
            throw new IllegalStateException("more than " + ROWS + " donor processes in one state file");
        }
        byte[] address = donor.address().getBytes(StandardCharsets.UTF_8);
        int length = Math.min(address.length, ROW - AT_ADDRESS);
        MemorySegment at = at(free);
        at.fill((byte) 0);
        putUuid(at, AT_INCARNATION, donor.incarnation());
        putUuid(at, AT_INSTANCE, donor.instance());
        at.set(LONG, AT_EPOCH, donor.epoch());
        at.set(INT, AT_LENGTH, length);
        MemorySegment.copy(address, 0, at, ValueLayout.JAVA_BYTE, AT_ADDRESS, length);
        at.set(INT, AT_SUM, sum(at));
        VarHandle.releaseFence();
        at.set(INT, 0, THERE);
        forget(donor.incarnation(), free);
    }

    /** Forgets a process. */
    synchronized void remove(UUID incarnation) {
        forget(incarnation, -1);
    }

    private void forget(UUID incarnation, int except) {
        for (int row = 0; row < ROWS; row++) {
            DonorRow one = get(row);
            if (row != except && one != null && one.incarnation().equals(incarnation)) {
                at(row).set(INT, 0, 0);
            }
        }
    }

    private @Nullable DonorRow get(int row) {
        MemorySegment at = at(row);
        if (at.get(INT, 0) != THERE || at.get(INT, AT_SUM) != sum(at)) {
            return null;
        }
        byte[] address = new byte[Math.clamp(at.get(INT, AT_LENGTH), 0, ROW - AT_ADDRESS)];
        MemorySegment.copy(at, ValueLayout.JAVA_BYTE, AT_ADDRESS, address, 0, address.length);
        return new DonorRow(
                uuid(at, AT_INCARNATION),
                new String(address, StandardCharsets.UTF_8),
                at.get(LONG, AT_EPOCH),
                uuid(at, AT_INSTANCE));
    }

    private static @Nullable DonorRow find(List<DonorRow> rows, UUID incarnation) {
        for (DonorRow row : rows) {
            if (row.incarnation().equals(incarnation)) {
                return row;
            }
        }
        return null;
    }

    private MemorySegment at(int row) {
        return memory.asSlice((long) row * ROW, ROW);
    }

    private static int sum(MemorySegment row) {
        CRC32C sum = new CRC32C();
        sum.update(row.asSlice(AT_INCARNATION).asByteBuffer());
        return (int) sum.getValue();
    }

    private static UUID uuid(MemorySegment from, long at) {
        return new UUID(from.get(LONG, at), from.get(LONG, at + 8));
    }

    private static void putUuid(MemorySegment to, long at, UUID id) {
        to.set(LONG, at, id.getMostSignificantBits());
        to.set(LONG, at + 8, id.getLeastSignificantBits());
    }
}
