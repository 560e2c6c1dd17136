package io.leapnbd.bypass.map;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.leapnbd.bypass.cipher.CipherKind;
import io.leapnbd.donor.protocol.SlabName;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.BitSet;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.UUID;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What a state file says after its server was killed, ended in good order, or somebody has meddled with it. */
class StateFileTest {

    private static final int SLAB_SHIFT = 20;
    private static final long SIZE = 8L << 20;
    private static final UUID ME = new UUID(1, 1);
    private static final UUID NEXT = new UUID(1, 2);
    private static final UUID CONTENT = new UUID(2, 1);
    private static final UUID DONOR = new UUID(3, 1);
    private static final UUID BOOT = new UUID(4, 1);
    private static final UUID NEXT_BOOT = new UUID(4, 2);

    @TempDir
    private Path folder;

    private Path path;

    @BeforeEach
    void choose() {
        path = folder.resolve("swap0.state");
    }

    private LockedStateFile lock(UUID boot) throws IOException {
        return LockedStateFile.open(path, false, boot);
    }

    /** A file of a server that holds slab 3 at a donor, with two pages written; closed in good order, or killed. */
    private void serve(boolean killed) throws IOException {
        try (LockedStateFile locked = lock(BOOT)) {
            StateFile file = locked.create(SIZE, SLAB_SHIFT);
            file.putDonor(new StateFile.DonorRow(DONOR, "tcp://10.0.0.1:9400", 5, ME));
            file.own(ME, CONTENT, 7, BOOT);
            file.bind(Map.of(DONOR, 1));
            AddressMap map = new AddressMap(file, SIZE, SLAB_SHIFT);
            map.map(3, Placement.of(1, DONOR, 99, 1234));
            map.markWritten(3L << SLAB_SHIFT, 8192);
            if (killed) {
                file.abandon();
            } else {
                file.close();
            }
        }
    }

    private void overwrite(long at, byte... bytes) throws IOException {
        try (FileChannel channel = FileChannel.open(path, StandardOpenOption.WRITE)) {
            channel.write(ByteBuffer.wrap(bytes), at);
        }
    }

    @Test
    void what_was_stored_is_there_after_the_process_was_killed() throws IOException {
        serve(true);
        try (LockedStateFile locked = lock(BOOT)) {
            assertThat(locked.complete()).isTrue();
            StateFile file = Objects.requireNonNull(locked.found());
            assertThat(file.header().owner()).isEqualTo(ME);
            assertThat(file.header().content()).isEqualTo(CONTENT);
            assertThat(file.header().term()).isEqualTo(7);
            assertThat(file.donors()).containsExactly(new StateFile.DonorRow(DONOR, "tcp://10.0.0.1:9400", 5, ME));
            file.bind(Map.of(DONOR, 4));
            AddressMap map = new AddressMap(file, SIZE, SLAB_SHIFT);
            Placement placement = Objects.requireNonNull(map.placement(3));
            assertThat(placement.generation()).isEqualTo(1234);
            // The donor's place in another server's list is another one.
            assertThat(placement.primary().donor()).isEqualTo(4);
            assertThat(placement.primary().incarnation()).isEqualTo(DONOR);
            assertThat(placement.primary().handle()).isEqualTo(99);
            assertThat(map.placement(2)).isNull();
            assertThat(map.pagesWritten()).isEqualTo(2);
        }
    }

    @Test
    void A7_a_file_from_before_a_reboot_is_complete_only_if_it_was_closed_in_good_order() throws IOException {
        serve(true);
        try (LockedStateFile locked = lock(NEXT_BOOT)) {
            assertThat(locked.found()).isNotNull();
            assertThat(locked.complete()).isFalse();
        }
        Files.delete(path);
        serve(false);
        try (LockedStateFile locked = lock(NEXT_BOOT)) {
            assertThat(locked.complete()).isTrue();
        }
        overwrite(StateFile.length(SIZE, SLAB_SHIFT, CipherKind.NONE) - 4096, (byte) 1);
        try (LockedStateFile locked = lock(NEXT_BOOT)) {
            assertThat(locked.complete()).isFalse();
        }
    }

    @Test
    void a_server_that_has_begun_to_claim_takes_the_clean_end_back() throws IOException {
        serve(false);
        try (LockedStateFile locked = lock(NEXT_BOOT)) {
            StateFile file = locked.take();
            file.claiming(NEXT, 8, StateHeader.NOBODY);
            file.abandon();
        }
        try (LockedStateFile locked = lock(NEXT_BOOT)) {
            StateFile file = Objects.requireNonNull(locked.found());
            assertThat(file.header().owner()).isEqualTo(ME);
            assertThat(file.header().claimer()).isEqualTo(NEXT);
            assertThat(file.header().term()).isEqualTo(8);
            assertThat(locked.complete()).isFalse();
        }
    }

    @Test
    void F1_a_file_of_a_server_that_was_killed_before_it_owned_anything_is_not_used() throws IOException {
        try (LockedStateFile locked = lock(BOOT)) {
            StateFile file = locked.create(SIZE, SLAB_SHIFT);
            file.claiming(ME, 1, BOOT);
            file.abandon();
        }
        try (LockedStateFile locked = lock(BOOT)) {
            assertThat(locked.found()).isNull();
            assertThat(locked.ignored()).contains("did not get to the end of its start");
        }
    }

    /** Hole 2: a donor knows a slab by the version of its grant, and not by the generation of a later placement. */
    @Test
    void copies_are_found_again_with_the_grants_that_they_had() throws IOException {
        UUID other = new UUID(3, 2);
        try (LockedStateFile locked = lock(BOOT)) {
            StateFile file = locked.create(SIZE, SLAB_SHIFT);
            file.own(ME, CONTENT, 7, BOOT);
            file.bind(Map.of(DONOR, 0, other, 1));
            AddressMap map = new AddressMap(file, SIZE, SLAB_SHIFT);
            map.map(3, Placement.of(900, List.of(new Member(0, DONOR, 99, 1234), new Member(1, other, 98, 5678))));
            file.abandon();
        }
        try (LockedStateFile locked = lock(BOOT)) {
            StateFile file = Objects.requireNonNull(locked.found());
            file.bind(Map.of(DONOR, 0, other, 1));
            Placement found = Objects.requireNonNull(new AddressMap(file, SIZE, SLAB_SHIFT).placement(3));
            assertThat(found.generation()).isEqualTo(900);
            assertThat(found.members())
                    .extracting(Member::name)
                    .containsExactly(new SlabName(DONOR, 99, 1234), new SlabName(other, 98, 5678));
        }
    }

    /** Seed 11622 of the simulation: they still name a copy that is gone, and have to be told when they come back. */
    @Test
    void copies_that_are_all_waited_for_count_as_untold() throws IOException {
        UUID other = new UUID(3, 2);
        try (LockedStateFile locked = lock(BOOT)) {
            StateFile file = locked.create(SIZE, SLAB_SHIFT);
            file.own(ME, CONTENT, 7, BOOT);
            file.bind(Map.of(DONOR, 0, other, 1));
            AddressMap map = new AddressMap(file, SIZE, SLAB_SHIFT);
            map.map(3, Placement.of(900, List.of(new Member(0, DONOR, 99, 1234), new Member(1, other, 98, 5678))));
            map.map(2, Placement.of(0, DONOR, 97, 1235));
            assertThat(isTold(file, Set.of(), 3)).isTrue();
            assertThat(isTold(file, Set.of(DONOR), 3)).isTrue();
            assertThat(isTold(file, Set.of(DONOR, other), 3)).isFalse();
            // It never had another copy.
            assertThat(isTold(file, Set.of(DONOR, other), 2)).isTrue();
            file.abandon();
        }
    }

    private static boolean isTold(StateFile file, Set<UUID> waited, int slab) {
        file.bind(Map.of(DONOR, 0, new UUID(3, 2), 1), waited);
        AddressMap map = new AddressMap(file, SIZE, SLAB_SHIFT);
        return Objects.requireNonNull(map.placement(slab)).told();
    }

    @Test
    void A7_a_row_that_is_not_what_was_written_is_told_and_no_exception() throws IOException {
        serve(true);
        long row = 4096 + 512 * 160 + 3 * 320;
        overwrite(row + 4, (byte) 77);
        try (LockedStateFile locked = lock(BOOT)) {
            StateFile file = Objects.requireNonNull(locked.found());
            assertThat(file.broken(3)).isTrue();
            assertThat(file.broken(2)).isFalse();
        }
    }

    @Test
    void one_header_that_is_half_written_is_no_harm_and_two_are_no_file() throws IOException {
        serve(true);
        overwrite(40, (byte) 1, (byte) 2);
        try (LockedStateFile locked = lock(BOOT)) {
            StateFile file = Objects.requireNonNull(locked.found());
            assertThat(file.header().size()).isEqualTo(SIZE);
        }
        overwrite(512 + 40, (byte) 1, (byte) 2);
        try (LockedStateFile locked = lock(BOOT)) {
            assertThat(locked.found()).isNull();
            assertThat(locked.ignored()).contains("no header");
        }
    }

    @Test
    void a_file_that_is_cut_short_is_not_used() throws IOException {
        serve(true);
        try (FileChannel channel = FileChannel.open(path, StandardOpenOption.WRITE)) {
            channel.truncate(8192);
        }
        try (LockedStateFile locked = lock(BOOT)) {
            assertThat(locked.found()).isNull();
            assertThat(locked.ignored()).contains("cut short");
        }
    }

    @Test
    void a_file_of_another_version_is_refused_with_a_sentence_and_left_as_it_is() throws IOException {
        serve(true);
        overwrite(8, (byte) 1);
        overwrite(512 + 8, (byte) 1);
        byte[] before = Files.readAllBytes(path);
        assertThatThrownBy(() -> lock(BOOT).close())
                .isInstanceOf(IOException.class)
                .hasMessageContaining("another version of leap-nbd")
                .hasMessageContaining("--fresh");
        assertThat(Files.readAllBytes(path)).isEqualTo(before);
    }

    @Test
    void a_file_that_is_none_is_not_overwritten() throws IOException {
        Files.writeString(path, "x".repeat(10_000));
        assertThatThrownBy(() -> lock(BOOT).close())
                .isInstanceOf(IOException.class)
                .hasMessageContaining("is not a state file");
    }

    @Test
    void two_servers_do_not_share_a_file() throws IOException {
        try (LockedStateFile locked = lock(BOOT)) {
            assertThat(locked.found()).isNull();
            assertThatThrownBy(() -> lock(BOOT).close())
                    .isInstanceOf(IOException.class)
                    .hasMessageContaining("another server of this export is running on this machine");
        }
        lock(BOOT).close();
    }

    @Test
    void a_start_that_is_refused_leaves_nothing_behind() throws IOException {
        try (LockedStateFile locked = lock(BOOT)) {
            assertThat(locked.found()).isNull();
        }
        assertThat(folder).isEmptyDirectory();
        Files.writeString(path, "x".repeat(5000));
        assertThatThrownBy(() -> lock(BOOT)).isInstanceOf(IOException.class);
        assertThat(folder).isDirectoryNotContaining(file -> !file.equals(path));
    }

    @Test
    void E7_a_new_file_has_all_its_space_and_is_its_owners_alone() throws IOException {
        try (LockedStateFile locked = lock(BOOT)) {
            StateFile file = locked.create(1L << 40, 26);
            assertThat(blocksOf(path) * 512).isGreaterThanOrEqualTo(StateFile.length(1L << 40, 26, CipherKind.NONE));
            assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(path)))
                    .isEqualTo("rw-------");
            file.abandon();
        }
    }

    @Test
    void sealsTakeNoSpaceBeforeTheirSlabIsPlacedAndStayWhenItIsReservedAgain() throws IOException {
        try (LockedStateFile locked = lock(BOOT)) {
            StateFile file = locked.create(1L << 40, 26);
            long before = blocksOf(path);
            assertThat(before * 512).isLessThan(StateFile.length(1L << 40, 26, CipherKind.NONE) + (1 << 20));
            assertThat(file.seals().reserve(9_999)).isTrue();
            assertThat(blocksOf(path) - before).isEqualTo((1L << 26 >> 12) * 8 / 512);
            long page = 9_999L << (26 - 12);
            file.seals().table().begin(page + 5, 1, 2);
            assertThat(file.seals().reserve(9_999)).isTrue();
            assertThat(file.seals().table().word(page + 5)).isEqualTo(1L << 32 | 2);
            file.abandon();
        }
    }

    @Test
    void sealsAreThereAfterTheProcessWasKilledAndPartOfAGoodEnd() throws IOException {
        for (boolean killed : new boolean[] {true, false}) {
            try (LockedStateFile locked = lock(BOOT)) {
                StateFile file = locked.create(SIZE, SLAB_SHIFT);
                file.own(ME, CONTENT, 7, BOOT);
                file.bind(Map.of(DONOR, 1));
                assertThat(file.seals().reserve(3)).isTrue();
                new AddressMap(file, SIZE, SLAB_SHIFT).map(3, Placement.of(1, DONOR, 99, 1234));
                file.seals().table().begin(3 * 256 + 7, 5, 6);
                if (killed) {
                    file.abandon();
                } else {
                    file.close();
                }
            }
            try (LockedStateFile locked = lock(killed ? BOOT : NEXT_BOOT)) {
                assertThat(locked.complete()).isTrue();
                assertThat(Objects.requireNonNull(locked.found())
                                .seals()
                                .table()
                                .word(3 * 256 + 7))
                        .isEqualTo(5L << 32 | 6);
            }
        }
        overwrite(StateFile.length(SIZE, SLAB_SHIFT, CipherKind.NONE) + (3 * 256 + 7) * 8, (byte) 9);
        try (LockedStateFile locked = lock(NEXT_BOOT)) {
            assertThat(locked.complete()).isFalse();
        }
    }

    @Test
    void whoKeepsNoSealsForgetsThem() throws IOException {
        try (LockedStateFile locked = lock(BOOT)) {
            StateFile file = locked.create(SIZE, SLAB_SHIFT);
            assertThat(file.seals().reserve(3)).isTrue();
            file.seals().table().begin(3 * 256, 1, 2);
            file.own(ME, CONTENT, 7, BOOT);
            file.abandon();
        }
        try (LockedStateFile locked = lock(BOOT)) {
            StateFile file = locked.take();
            file.seals().keepNone();
            assertThat(new AddressMap(file, SIZE, SLAB_SHIFT).seals()).isNull();
            file.abandon();
        }
        try (LockedStateFile locked = lock(BOOT)) {
            StateFile file = Objects.requireNonNull(locked.found());
            assertThat(file.seals().reserve(3)).isTrue();
            assertThat(file.seals().table().word(3 * 256)).isZero();
        }
    }

    private static long blocksOf(Path path) throws IOException {
        Process stat = new ProcessBuilder("stat", "-c", "%b", path.toString()).start();
        return Long.parseLong(
                new String(stat.getInputStream().readAllBytes(), java.nio.charset.StandardCharsets.US_ASCII).strip());
    }

    @Test
    void E7_a_file_that_does_not_fit_is_refused_in_one_sentence_and_the_old_one_stays() throws IOException {
        serve(true);
        byte[] before = Files.readAllBytes(path);
        try (LockedStateFile locked = lock(BOOT)) {
            assertThatThrownBy(() -> locked.create(1L << 62, 30))
                    .isInstanceOf(IOException.class)
                    .hasMessageContaining("not enough room")
                    .hasMessageContaining("--state-dir");
        }
        assertThat(Files.readAllBytes(path)).isEqualTo(before);
        assertThat(folder.resolve("swap0.state.new")).doesNotExist();
    }

    @Test
    void what_a_donor_says_is_joined_or_replaces_what_the_file_says() {
        try (StateFile file = StateFile.inMemory(SIZE, SLAB_SHIFT)) {
            BitSet written = new BitSet();
            written.set(1);
            written.set(300 % 256);
            BitSet lost = new BitSet();
            lost.set(7);
            file.written().set(256 + 2, 256 + 3);
            file.lost().set(256 + 1, 256 + 2);
            file.mark(1, written, lost, true);
            assertThat(pages(file.written())).isEqualTo(List.of(257L, 258L, 300L));
            assertThat(pages(file.lost())).isEqualTo(List.of(263L));
            file.mark(1, written, lost, false);
            assertThat(pages(file.written())).isEqualTo(List.of(257L, 300L));
            file.lose(1, false);
            assertThat(pages(file.written())).isEmpty();
            assertThat(pages(file.lost())).isEqualTo(List.of(257L, 263L, 300L));
            file.lose(2, true);
            assertThat(pages(file.lost())).hasSize(3 + 256);
        }
    }

    private static List<Long> pages(PageBitmap of) {
        return java.util.stream.LongStream.range(0, SIZE >> 12)
                .filter(of::get)
                .boxed()
                .toList();
    }

    @Test
    void of_two_rows_of_one_donor_process_the_later_one_counts() {
        try (StateFile file = StateFile.inMemory(SIZE, SLAB_SHIFT)) {
            file.putDonor(new StateFile.DonorRow(DONOR, "a", 3, ME));
            file.putDonor(new StateFile.DonorRow(DONOR, "b", 4, NEXT));
            assertThat(file.donors()).containsExactly(new StateFile.DonorRow(DONOR, "b", 4, NEXT));
            file.removeDonor(DONOR);
            assertThat(file.donors()).isEmpty();
        }
    }
}
