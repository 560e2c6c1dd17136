package io.leapnbd.bypass.spill;

import static org.assertj.core.api.Assertions.assertThat;

import io.leapnbd.donor.memory.MappedMemory;
import io.leapnbd.donor.memory.RawMemory;
import io.leapnbd.donor.protocol.Hello;
import io.leapnbd.donor.protocol.HelloReply;
import io.leapnbd.donor.protocol.SlabCopies;
import io.leapnbd.donor.protocol.SlabList;
import io.leapnbd.donor.protocol.SlabName;
import io.leapnbd.donor.protocol.Status;
import io.leapnbd.donor.protocol.Version;
import io.leapnbd.donor.store.Admission;
import io.leapnbd.donor.store.Claim;
import io.leapnbd.donor.store.FileBackedStore;
import io.leapnbd.donor.store.Granted;
import io.leapnbd.donor.store.MarkedPages;
import io.leapnbd.donor.store.SlabControl;
import io.leapnbd.donor.store.SlabStore;
import io.leapnbd.donor.store.StoreSettings;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.SplittableRandom;
import java.util.UUID;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** The oracle of a spill's store is a donor's: both are asked the same at random, and have to answer the same. */
class SpillAnswersTest {

    private static final int SLAB = 1 << 20;
    private static final int PAGE = 4096;
    private static final int SLOTS = 6;
    private static final int INDICES = 8;
    private static final int STEPS = 3000;
    private static final int MOST = 8 * PAGE;
    private static final UUID OTHER = new UUID(5, 5);

    @TempDir
    private Path folder;

    private SplittableRandom random = new SplittableRandom();
    private final List<Pair> links = new ArrayList<>();
    private final List<Handles> handles = new ArrayList<>();
    private long server;
    private UUID donorIs = OTHER;
    private UUID spillIs = OTHER;

    /** The same link at both. */
    private record Pair(Claim donor, Claim spill, long server, long epoch) {}

    /** The same slab at both. */
    private record Handles(int donor, int spill, long grant) {}

    @ParameterizedTest
    @ValueSource(longs = {1, 2, 3, 4, 5, 6})
    void aSpillAnswersAsADonorDoes(long seed) throws IOException {
        random = new SplittableRandom(seed);
        MappedMemory memory = MappedMemory.reserve(MOST + 4L * PAGE, false);
        try (SlabStore donor = SlabStore.open(StoreSettings.ofMemory((long) SLOTS * SLAB, SLAB)
                        .withLock(false)
                        .withReadySlabs(0));
                SpillFile file = SpillFile.open(folder.resolve("spill"), new UUID(1, 1))) {
            file.lay(SLAB, SLOTS);
            try (FileBackedStore spill = FileBackedStore.open(file.load(), file)) {
                donorIs = donor.incarnation();
                spillIs = spill.statistics().incarnation();
                claim(donor, spill, 0);
                for (int step = 0; step < STEPS; step++) {
                    step(donor, spill, memory.address());
                }
            }
        } finally {
            memory.close();
        }
    }

    private void step(SlabStore donor, FileBackedStore spill, long buffer) throws IOException {
        switch (random.nextInt(20)) {
            case 0 -> {
                if (random.nextInt(10) == 0) {
                    claim(donor, spill, random.nextInt(3));
                }
            }
            case 1 -> join(donor, spill);
            case 2, 3, 4 -> grant(donor, spill);
            case 5 -> place(donor, spill);
            case 6 -> {
                Handles slab = slab();
                Pair link = link();
                long generation = Version.ofGrant(server, random.nextInt(30));
                assertThat(spill.free(link.spill, slab.spill, generation))
                        .isEqualTo(donor.free(link.donor, slab.donor, generation));
            }
            case 7 -> list(donor, spill);
            case 8 -> {
                Pair link = link();
                long version = random.nextLong(20);
                ByteBuffer note = ByteBuffer.wrap(new byte[random.nextInt(40)]);
                assertThat(spill.note(link.spill, version, note.duplicate()))
                        .isEqualTo(donor.note(link.donor, version, note.duplicate()));
            }
            case 9, 10 -> pages(donor, spill);
            case 11, 12, 13 -> read(donor, spill, buffer);
            case 14 -> trim(donor, spill, buffer);
            default -> write(donor, spill, buffer);
        }
        assertThat(spill.freeSlabs()).isEqualTo(donor.freeSlabs());
    }

    private void claim(SlabStore donor, FileBackedStore spill, int kind) {
        HelloReply one = observe(donor);
        HelloReply other = observe(spill);
        assertThat(other.epoch()).isEqualTo(one.epoch());
        assertThat(other.content()).isEqualTo(one.content());
        assertThat(other.highest()).isEqualTo(one.highest());
        assertThat(other.heldSlabs()).isEqualTo(one.heldSlabs());
        assertThat(other.noteVersion()).isEqualTo(one.noteVersion());
        assertThat(other.note()).isEqualTo(one.note());
        server++;
        boolean blank = kind == 2;
        UUID next = !one.hasContent() || blank ? new UUID(3, server) : one.content();
        Hello hello = Hello.claim(
                "a",
                0,
                blank,
                // At times it is late.
                one.epoch() - (kind == 1 && random.nextBoolean() ? 1 : 0),
                one.content(),
                one.noteVersion(),
                next,
                new UUID(server, server),
                server,
                OTHER,
                "server " + server,
                ByteBuffer.wrap(new byte[] {(byte) server}));
        Admission first = donor.hello(hello);
        Admission second = spill.hello(hello, () -> {});
        assertThat(second.status()).isEqualTo(first.status());
        if (first.status() == Status.OK) {
            links.add(new Pair(
                    Objects.requireNonNull(first.claim()),
                    Objects.requireNonNull(second.claim()),
                    server,
                    Objects.requireNonNull(first.reply()).epoch()));
        }
    }

    private static HelloReply observe(SlabControl store) {
        return Objects.requireNonNull(
                store.hello(Hello.observe("a", 0), () -> {}).reply());
    }

    private void join(SlabStore donor, FileBackedStore spill) {
        Pair link = link();
        Hello hello = Hello.join("a", 0, link.epoch, new UUID(link.server, link.server));
        Admission first = donor.hello(hello);
        Admission second = spill.hello(hello, () -> {});
        assertThat(second.status()).isEqualTo(first.status());
        if (first.status() == Status.OK) {
            links.add(new Pair(
                    Objects.requireNonNull(first.claim()),
                    Objects.requireNonNull(second.claim()),
                    link.server,
                    link.epoch));
        }
    }

    private void grant(SlabStore donor, FileBackedStore spill) {
        Pair link = link();
        int index = random.nextInt(INDICES);
        long version = Version.ofGrant(server, random.nextInt(30));
        SlabCopies copies = random.nextBoolean() ? SlabCopies.FILLING : SlabCopies.ALONE;
        long[] lost = random.nextBoolean() ? new long[0] : new long[] {random.nextLong(), 0, random.nextLong()};
        Granted one = donor.grant(link.donor, index, version, copies, lost);
        Granted other = spill.grant(link.spill, index, version, copies, lost);
        assertThat(other.status()).isEqualTo(one.status());
        if (one.status() == Status.OK) {
            handles.add(new Handles(one.handle(), other.handle(), version));
        }
    }

    private void place(SlabStore donor, FileBackedStore spill) {
        Pair link = link();
        Handles slab = slab();
        long generation = Version.ofGrant(server, random.nextInt(40));
        int kind = random.nextInt(3);
        byte one = donor.place(link.donor, slab.donor, generation, copies(kind, donorIs, slab.donor, slab.grant));
        byte other = spill.place(link.spill, slab.spill, generation, copies(kind, spillIs, slab.spill, slab.grant));
        assertThat(other).isEqualTo(one);
    }

    private static SlabCopies copies(int kind, UUID incarnation, int handle, long grant) {
        SlabName own = new SlabName(incarnation, handle, grant);
        SlabName elsewhere = new SlabName(OTHER, 1, 1);
        return switch (kind) {
            case 0 -> SlabCopies.live(List.of(own));
            case 1 -> SlabCopies.live(List.of(own, elsewhere));
            default -> SlabCopies.filling(List.of(elsewhere));
        };
    }

    private void list(SlabStore donor, FileBackedStore spill) {
        Pair link = link();
        SlabList one = donor.list(link.donor, 0).slabs();
        SlabList other = spill.list(link.spill, 0).slabs();
        assertThat(other.size()).isEqualTo(one.size());
        for (int i = 0; i < one.size(); i++) {
            assertThat(other.index(i)).isEqualTo(one.index(i));
            assertThat(other.grantVersion(i)).isEqualTo(one.grantVersion(i));
            assertThat(other.generation(i)).isEqualTo(one.generation(i));
            assertThat(other.touched(i)).isEqualTo(one.touched(i));
            assertThat(other.copies(i).filling()).isEqualTo(one.copies(i).filling());
            assertThat(other.copies(i).count()).isEqualTo(one.copies(i).count());
        }
    }

    private void pages(SlabStore donor, FileBackedStore spill) {
        Pair link = link();
        Handles slab = slab();
        MarkedPages one = donor.pages(link.donor, slab.donor, 0, SLAB);
        MarkedPages other = spill.pages(link.spill, slab.spill, 0, SLAB);
        assertThat(other.status()).isEqualTo(one.status());
        for (int word = 0; word < one.marks().words(); word++) {
            assertThat(other.marks().writtenWord(word)).isEqualTo(one.marks().writtenWord(word));
            assertThat(other.marks().lostWord(word)).isEqualTo(one.marks().lostWord(word));
        }
    }

    private void read(SlabStore donor, FileBackedStore spill, long buffer) throws IOException {
        Pair link = link();
        Handles slab = slab();
        int offset = offset();
        int length = length(offset);
        ByteBuf into = Unpooled.directBuffer(MOST).writeZero(MOST);
        ByteBuf found = Unpooled.directBuffer(MOST).writeZero(MOST);
        try {
            byte one = donor.read(link.donor, slab.donor, offset, length, into, 0);
            byte other = spill.read(link.spill, slab.spill, offset, length, buffer);
            assertThat(Status.name(other)).isEqualTo(Status.name(one));
            if (one == Status.OK) {
                RawMemory.copyTo(buffer + offset % PAGE, found, 0, length);
                assertThat(found.slice(0, length)).isEqualTo(into.slice(0, length));
            }
        } finally {
            into.release();
            found.release();
        }
    }

    private void write(SlabStore donor, FileBackedStore spill, long buffer) throws IOException {
        Pair link = link();
        Handles slab = slab();
        int offset = offset();
        int length = length(offset);
        long version = 1 + random.nextLong(200);
        byte[] bytes = new byte[length];
        random.nextBytes(bytes);
        ByteBuf from = Unpooled.directBuffer(MOST).writeBytes(bytes);
        try {
            byte one = donor.write(link.donor, slab.donor, offset, length, version, from, 0);
            RawMemory.copyFrom(from, 0, buffer + offset % PAGE, length);
            byte other = spill.write(link.spill, slab.spill, offset, length, version, buffer);
            assertThat(Status.name(other)).isEqualTo(Status.name(one));
        } finally {
            from.release();
        }
    }

    private void trim(SlabStore donor, FileBackedStore spill, long buffer) throws IOException {
        Pair link = link();
        Handles slab = slab();
        int offset = offset();
        int length = length(offset);
        long version = 1 + random.nextLong(200);
        byte one = donor.trim(link.donor, slab.donor, offset, length, version);
        byte other = spill.trim(link.spill, slab.spill, offset, length, version, buffer);
        assertThat(Status.name(other)).isEqualTo(Status.name(one));
    }

    /** Mostly whole pages, as a server's are, and of a few places, so that they meet. */
    private int offset() {
        int page = random.nextInt(24) * PAGE;
        return switch (random.nextInt(4)) {
            case 0 -> page + random.nextInt(PAGE);
            case 1 -> SLAB - PAGE;
            default -> page;
        };
    }

    private int length(int offset) {
        int pages = (1 + random.nextInt(6)) * PAGE;
        int length = random.nextInt(3) == 0 ? random.nextInt(pages) : pages;
        return random.nextInt(50) == 0 ? length : Math.min(length, SLAB - offset);
    }

    private Pair link() {
        // Most are of the newest claim.
        return random.nextInt(8) == 0 ? links.get(random.nextInt(links.size())) : links.getLast();
    }

    private Handles slab() {
        int count = handles.size();
        return count == 0 ? new Handles(1, 1, 1) : handles.get(Math.max(0, count - 1 - random.nextInt(8)));
    }
}
