package io.leapnbd.bypass.takeover;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.leapnbd.bypass.link.DonorAddress;
import io.leapnbd.bypass.map.StateFile;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Random;
import java.util.Set;
import java.util.UUID;
import org.junit.jupiter.api.Test;

class NoteTest {

    private static final long SIZE = 64L << 30;

    private static List<Note.Member> members(int count) {
        List<Note.Member> all = new ArrayList<>();
        for (int i = 0; i < count; i++) {
            all.add(new Note.Member(new UUID(1, i), "tcp://10.0.0." + i + ":9400"));
        }
        return all;
    }

    private static Set<UUID> givenUp() {
        Set<UUID> all = new LinkedHashSet<>();
        for (int i = 0; i < Note.MAX_GIVEN_UP; i++) {
            all.add(new UUID(3, i));
        }
        return all;
    }

    @Test
    void a_note_is_read_as_it_was_written() {
        BitSet lost = new BitSet();
        lost.set(3);
        lost.set(100, 200);
        Note note = new Note(
                5L << 32 | 7,
                SIZE,
                26,
                members(3),
                Set.of(new UUID(2, 1), new UUID(2, 2)),
                List.of("tcp://10.0.1.1:9400", "tcp://10.0.1.2:9400"),
                lost,
                false);
        assertThat(note.term()).isEqualTo(5);
        assertThat(Note.decode(note.encode())).isEqualTo(note);
        assertThat(Note.decode(ByteBuffer.allocate(0))).isEqualTo(Note.NONE);
    }

    @Test
    void a_note_has_room_for_the_longest_addresses_of_all_donors_and_of_those_before_them() {
        List<Note.Member> all = new ArrayList<>();
        for (int i = 0; i < 2 * StateFile.MAX_DONORS; i++) {
            String host = "h".repeat(DonorAddress.MAX_HOST - 3) + 100 + i % 100;
            all.add(new Note.Member(
                    new UUID(1, i),
                    new DonorAddress(DonorAddress.Transport.RDMA, host.substring(0, DonorAddress.MAX_HOST), 65_535)
                            .toString()));
        }
        List<String> addresses = all.stream()
                .limit(Note.MAX_GIVEN_UP_ADDRESSES)
                .map(Note.Member::address)
                .toList();
        Note note = new Note(1, SIZE, 26, all, givenUp(), addresses, new BitSet(), false);
        assertThat(Note.decode(note.encode())).isEqualTo(note);
        assertThatThrownBy(() -> new DonorAddress("h".repeat(DonorAddress.MAX_HOST + 1), 9400))
                .hasMessageContaining("longer than 80 bytes");
    }

    @Test
    void where_lost_slabs_do_not_fit_all_that_nobody_holds_is_called_lost() {
        BitSet lost = new BitSet();
        for (int slab = 0; slab < 20_000; slab += 2) {
            lost.set(slab);
        }
        Note note = new Note(1, 16L << 40, 26, members(Note.MAX_MEMBERS), givenUp(), lost, false);
        ByteBuffer bytes = note.encode();
        assertThat(bytes.remaining()).isLessThanOrEqualTo(Note.MAX_LENGTH);
        Note read = Note.decode(bytes);
        assertThat(read.allLost()).isTrue();
        assertThat(read.members()).hasSize(Note.MAX_MEMBERS);
        assertThat(read.givenUp()).hasSize(Note.MAX_GIVEN_UP);
    }

    @Test
    void the_number_of_copies_goes_along_and_is_not_known_of_notes_that_do_not_tell() {
        ExportNote note = new ExportNote(4, SIZE, 26, Note.NONE, false);
        assertThat(Note.decode(note.encode()).copies()).isZero();
        note.copies(2);
        note.lose(3);
        assertThat(Note.decode(note.encode())).isEqualTo(note.now());
        assertThat(Note.decode(note.encode()).copies()).isEqualTo(2);
    }

    @Test
    void addresses_that_were_given_up_are_remembered_until_a_donor_is_used_there_and_the_oldest_are_forgotten() {
        ExportNote note = new ExportNote(4, SIZE, 26, Note.NONE, false);
        for (int i = 0; i <= Note.MAX_GIVEN_UP_ADDRESSES; i++) {
            note.giveUpAddress("d" + i);
        }
        assertThat(note.isGivenUpAddress("d0")).isFalse();
        assertThat(note.isGivenUpAddress("d1")).isTrue();
        ExportNote next = new ExportNote(5, SIZE, 26, Note.decode(note.encode()), false);
        assertThat(next.isGivenUpAddress("d1")).isTrue();
        next.add(new UUID(1, 1), "d1");
        next.addAddress("d2");
        assertThat(next.isGivenUpAddress("d1")).isFalse();
        assertThat(next.isGivenUpAddress("d2")).isFalse();
        assertThat(next.isGivenUpAddress("d3")).isTrue();
    }

    @Test
    void F13_bytes_that_are_no_note_are_refused_and_take_no_memory() {
        Random random = new Random(42);
        for (int i = 0; i < 20_000; i++) {
            byte[] bytes = new byte[1 + random.nextInt(200)];
            random.nextBytes(bytes);
            try {
                Note read = Note.decode(ByteBuffer.wrap(bytes));
                assertThat(read.members()).hasSizeLessThanOrEqualTo(Note.MAX_MEMBERS);
            } catch (IllegalArgumentException e) {
                assertThat(e).hasMessageContaining("note");
            }
        }
        assertThatThrownBy(() -> Note.decode(ByteBuffer.allocate(Note.MAX_LENGTH + 1)))
                .isInstanceOf(IllegalArgumentException.class);
    }
}
