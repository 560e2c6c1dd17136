package io.leapnbd.bypass.map;

import static org.assertj.core.api.Assertions.assertThat;

import io.leapnbd.bypass.map.Member.State;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.List;
import java.util.UUID;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

/** Rows of several copies, which change while there are bytes (docs/replicas.md, "The row"). */
class SlabRowsTest {

    private final MemorySegment memory = Arena.ofAuto().allocate(4L * SlabRows.LENGTH, 8);
    private final SlabRows rows = new SlabRows(memory);

    private static SlabRow row(long generation, int copies) {
        return new SlabRow(
                generation,
                IntStream.range(0, copies)
                        .mapToObj(i -> new SlabRow.Copy(
                                new UUID(-1 - i, Long.MAX_VALUE - i),
                                Integer.MAX_VALUE - i,
                                Long.MAX_VALUE - i,
                                State.values()[i % 3]))
                        .toList());
    }

    @Test
    void each_copy_keeps_its_grant_whatever_the_generation_is() {
        SlabRow four = row(7, Placement.MAX_MEMBERS);
        rows.put(2, four);
        rows.put(1, row(Long.MAX_VALUE, Placement.MAX_MEMBERS));
        rows.put(3, row(9, 1));
        assertThat(rows.get(2)).isEqualTo(four);
        assertThat(rows.get(1)).isEqualTo(row(Long.MAX_VALUE, Placement.MAX_MEMBERS));
        assertThat(rows.get(3)).isEqualTo(row(9, 1));
        assertThat(rows.get(0)).isNull();
    }

    /** Hole 4: whatever of the newer row is there when the server is killed, the row says what it said, or what is new. */
    @Test
    void a_row_that_was_being_written_leaves_the_one_before() {
        SlabRow before = row(5, 2);
        SlabRow after = row(6, Placement.MAX_MEMBERS);
        rows.put(1, row(4, 1));
        rows.put(1, before);
        byte[] old = memory.toArray(ValueLayout.JAVA_BYTE);
        rows.put(1, after);
        byte[] fresh = memory.toArray(ValueLayout.JAVA_BYTE);
        for (int written = 0; written < fresh.length; written++) {
            // The mark is taken away first, and put there last.
            MemorySegment.copy(old, 0, memory, ValueLayout.JAVA_BYTE, 0, old.length);
            MemorySegment.copy(fresh, 0, memory, ValueLayout.JAVA_BYTE, 0, written);
            int first = SlabRows.LENGTH;
            int slot = differs(old, fresh, first) ? first : first + SlabRows.LENGTH / 2;
            memory.set(ValueLayout.JAVA_INT, slot, 0);
            assertThat(rows.get(1)).isEqualTo(before);
            assertThat(rows.broken(1)).isFalse();
        }
        MemorySegment.copy(fresh, 0, memory, ValueLayout.JAVA_BYTE, 0, fresh.length);
        assertThat(rows.get(1)).isEqualTo(after);
    }

    private static boolean differs(byte[] one, byte[] other, int from) {
        return IntStream.range(from, from + SlabRows.LENGTH / 2).anyMatch(i -> one[i] != other[i]);
    }

    @Test
    void a_row_that_is_taken_away_is_nowhere() {
        rows.put(1, row(5, 2));
        rows.put(1, row(6, 3));
        rows.put(1, null);
        assertThat(rows.get(1)).isNull();
        assertThat(rows.isPlaced(1)).isFalse();
        rows.put(1, row(7, 1));
        assertThat(rows.get(1)).isEqualTo(row(7, 1));
        assertThat(List.of(rows.isPlaced(0), rows.isPlaced(1))).containsExactly(false, true);
    }
}
