package io.leapnbd.bypass.spill;

import static org.assertj.core.api.Assertions.assertThat;

import io.leapnbd.donor.memory.MappedMemory;
import io.leapnbd.donor.memory.RawMemory;
import io.leapnbd.donor.protocol.Hello;
import io.leapnbd.donor.protocol.HelloReply;
import io.leapnbd.donor.protocol.PageMarks;
import io.leapnbd.donor.protocol.SlabCopies;
import io.leapnbd.donor.protocol.SlabList;
import io.leapnbd.donor.protocol.SlabName;
import io.leapnbd.donor.protocol.Status;
import io.leapnbd.donor.protocol.Version;
import io.leapnbd.donor.store.Admission;
import io.leapnbd.donor.store.Claim;
import io.leapnbd.donor.store.FileBackedStore;
import io.leapnbd.donor.store.Granted;
import io.leapnbd.donor.store.KeptExport;
import io.leapnbd.donor.store.KeptSlab;
import io.leapnbd.donor.store.SlabFile;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.SplittableRandom;
import java.util.TreeMap;
import java.util.UUID;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * A process with a spill is killed between any two writes to the file, or in the middle of one, so that any pieces of it are there and any are not.
 * The next one finds what was answered, and of what was not, all or nothing of each page and of each record.
 */
class SpillKillTest {

    private static final int SLAB = 1 << 20;
    private static final int PAGE = 4096;

    /** Bytes of a record that are there or not, each by itself: a disk has larger pieces, and records here are small. */
    private static final int PIECE = 16;

    private static final int SLOTS = 4;
    private static final int INDICES = 5;
    private static final int PAGES = 12;
    private static final int LIVES = 60;
    private static final int MOST = 4 * PAGE;
    private static final UUID BOOT = new UUID(1, 1);
    private static final UUID HOST = new UUID(5, 5);

    private static final int BLANK = 0;
    private static final int LOST = -1;

    @TempDir
    private Path folder;

    private SplittableRandom random = new SplittableRandom();

    /** What was answered. */
    private State now = State.NOTHING;

    private int stamp;
    private long versions;
    private long grants;
    private long server;

    /**
     * All that a process leaves to the next.
     *
     * @param owner epoch, content and note, as text
     * @param slabs by index, as text
     * @param handles by index
     * @param pages by index and page: the stamp of the write, or {@link #BLANK} or {@link #LOST}
     */
    private record State(
            String owner, Map<Integer, String> slabs, Map<Integer, Integer> handles, Map<Integer, Integer> pages) {

        static final State NOTHING = new State("0", Map.of(), Map.of(), Map.of());

        static int key(int index, int page) {
            return index * PAGES + page;
        }
    }

    @ParameterizedTest
    @ValueSource(longs = {1, 2, 3, 4, 5, 6, 7, 8})
    void whatWasAnsweredIsThereAfterAKillAtAnyMoment(long seed) throws IOException {
        random = new SplittableRandom(seed);
        Path path = folder.resolve("spill");
        MappedMemory memory = MappedMemory.reserve(MOST + 2L * PAGE, false);
        try {
            for (int life = 0; life < LIVES; life++) {
                live(path, memory.address(), "seed " + seed + ", life " + life);
            }
        } finally {
            memory.close();
        }
    }

    private void live(Path path, long buffer, String which) throws IOException {
        State possible = now;
        Killer killer;
        try (SpillFile file = SpillFile.open(path, BOOT)) {
            file.lay(SLAB, SLOTS);
            killer = new Killer(path, file, random.nextInt(60));
            FileBackedStore store = FileBackedStore.open(file.load(), killer);
            try {
                Claim claim = null;
                State found = observe(store, null, buffer);
                assertThat(found.owner).as(which).isEqualTo(now.owner);
                while (true) {
                    possible = now;
                    State wanted;
                    if (claim == null || random.nextInt(25) == 0) {
                        boolean blank = claim == null ? random.nextInt(8) == 0 : random.nextInt(3) == 0;
                        Intent intent = claim(store, blank);
                        wanted = intent.after;
                        possible = wanted;
                        claim = intent.act();
                        State seen = observe(store, claim, buffer);
                        assertThat(seen).as(which).isEqualTo(wanted);
                    } else {
                        Act act = draw(store, claim, buffer);
                        possible = act.after;
                        act.run();
                        wanted = act.after;
                    }
                    now = wanted;
                }
            } catch (Killed | UncheckedIOException e) {
                // As the kernel has it now.
            } finally {
                store.close();
            }
        }
        killer.tear();
        now = afterKill(path, now, possible, buffer, which);
    }

    /** What the next process finds: of each part what was before, or what was on its way. */
    private State afterKill(Path path, State before, State after, long buffer, String which) throws IOException {
        try (SpillFile file = SpillFile.open(path, BOOT)) {
            file.lay(SLAB, SLOTS);
            try (FileBackedStore store = FileBackedStore.open(file.load(), file)) {
                String owner = observe(store, null, buffer).owner;
                assertThat(owner).as(which).isIn(before.owner, after.owner);
                if (owner.equals("0")) {
                    return State.NOTHING;
                }
                HelloReply found = reply(store.hello(Hello.observe("a", 0), () -> {}));
                Claim claim = Objects.requireNonNull(store.hello(hello(found, false, found.content()), () -> {})
                        .claim());
                State is = observe(store, claim, buffer);
                boolean blank = !before.owner.equals(after.owner) && owner.equals(after.owner);
                for (int index = 0; index < INDICES; index++) {
                    String slab = is.slabs.getOrDefault(index, "none");
                    String was = before.slabs.getOrDefault(index, "none");
                    String willBe = after.slabs.getOrDefault(index, "none");
                    if (blank) {
                        assertThat(slab).as(which).isEqualTo(willBe);
                    } else if (before.owner.equals(after.owner)) {
                        // A grant in place of another slab takes that one back first.
                        assertThat(slab)
                                .as(which)
                                .isIn(
                                        was,
                                        willBe,
                                        was.equals("none") || willBe.equals("none") || sameSlab(was, willBe)
                                                ? was
                                                : "none");
                    } else {
                        assertThat(slab).as(which).isEqualTo(was);
                    }
                    if (slab.equals("none")) {
                        continue;
                    }
                    for (int page = 0; page < PAGES; page++) {
                        int key = State.key(index, page);
                        Integer content = is.pages.get(key);
                        assertThat(content)
                                .as(which + ", page " + page + " of index " + index)
                                .isIn(
                                        sameSlab(slab, was) ? before.pages.get(key) : after.pages.get(key),
                                        sameSlab(slab, willBe) ? after.pages.get(key) : before.pages.get(key));
                    }
                }
                return is;
            }
        }
    }

    private static boolean sameSlab(String one, String other) {
        return one.split(",", 2)[0].equals(other.split(",", 2)[0]);
    }

    private interface Step {
        void run() throws IOException;
    }

    private record Act(State after, Step step) {
        void run() throws IOException {
            step.run();
        }
    }

    private record Intent(State after, Supplier<Claim> step) {
        Claim act() {
            return step.get();
        }
    }

    private Hello hello(HelloReply found, boolean blank, UUID content) {
        server++;
        return Hello.claim(
                "a",
                0,
                blank,
                found.epoch(),
                found.content(),
                found.noteVersion(),
                content,
                new UUID(server, server),
                server,
                HOST,
                "server",
                ByteBuffer.wrap(new byte[] {(byte) server}));
    }

    private Intent claim(FileBackedStore store, boolean blank) {
        HelloReply found = reply(store.hello(Hello.observe("a", 0), () -> {}));
        UUID content = blank || !found.hasContent() ? new UUID(3, server + 1) : found.content();
        Hello hello = hello(found, blank, content);
        String owner = (found.epoch() + 1) + " " + content + " 0 " + (byte) server;
        State after = blank
                ? new State(owner, Map.of(), Map.of(), Map.of())
                : new State(owner, now.slabs, now.handles, now.pages);
        return new Intent(
                after, () -> Objects.requireNonNull(store.hello(hello, () -> {}).claim()));
    }

    private Act draw(FileBackedStore store, Claim claim, long buffer) {
        int index = random.nextInt(INDICES);
        Integer held = now.handles.get(index);
        if (held == null || random.nextInt(12) == 0) {
            return grant(store, claim, index);
        }
        int handle = held;
        return switch (random.nextInt(10)) {
            case 0 -> place(store, claim, index, handle);
            case 1 -> free(store, claim, index, handle);
            case 2, 3 -> trim(store, claim, index, handle, buffer);
            case 4 -> note(store, claim);
            default -> write(store, claim, index, handle, buffer);
        };
    }

    private Act grant(FileBackedStore store, Claim claim, int index) {
        long version = Version.ofGrant(server, ++grants);
        boolean filling = random.nextBoolean();
        long lost = random.nextBoolean() ? random.nextLong() & (1L << PAGES) - 1 : 0;
        if (!now.slabs.containsKey(index) && store.freeSlabs() == 0) {
            return note(store, claim);
        }
        Map<Integer, String> slabs = new TreeMap<>(now.slabs);
        Map<Integer, Integer> pages = new TreeMap<>(now.pages);
        slabs.put(index, version + ", " + version + ", " + filling + ", 0, false");
        for (int page = 0; page < PAGES; page++) {
            pages.put(State.key(index, page), (lost >>> page & 1) == 0 ? BLANK : LOST);
        }
        Map<Integer, Integer> handles = new TreeMap<>(now.handles);
        State after = new State(now.owner, slabs, handles, pages);
        return new Act(after, () -> {
            Granted granted = store.grant(
                    claim,
                    index,
                    version,
                    filling ? SlabCopies.FILLING : SlabCopies.ALONE,
                    lost == 0 ? new long[0] : new long[] {lost});
            assertThat(granted.status()).isEqualTo(Status.OK);
            handles.put(index, granted.handle());
        });
    }

    private Act place(FileBackedStore store, Claim claim, int index, int handle) {
        long generation = Version.ofGrant(server, ++grants);
        long grant = Long.parseLong(words(index)[0]);
        UUID own = store.statistics().incarnation();
        boolean alone = random.nextBoolean();
        SlabName name = new SlabName(own, handle, grant);
        SlabCopies copies =
                alone ? SlabCopies.live(List.of(name)) : SlabCopies.live(List.of(name, new SlabName(HOST, 1, 1)));
        Map<Integer, String> slabs = new TreeMap<>(now.slabs);
        slabs.put(index, grant + ", " + generation + ", false, " + (alone ? 0 : 2) + ", " + words(index)[4]);
        return new Act(
                new State(now.owner, slabs, now.handles, now.pages),
                () -> assertThat(store.place(claim, handle, generation, copies)).isEqualTo(Status.OK));
    }

    private String[] words(int index) {
        return Objects.requireNonNull(now.slabs.get(index)).split(", ", -1);
    }

    private Act free(FileBackedStore store, Claim claim, int index, int handle) {
        Map<Integer, String> slabs = new TreeMap<>(now.slabs);
        slabs.remove(index);
        Map<Integer, Integer> handles = new TreeMap<>(now.handles);
        handles.remove(index);
        Map<Integer, Integer> pages = new TreeMap<>(now.pages);
        for (int page = 0; page < PAGES; page++) {
            pages.remove(State.key(index, page));
        }
        return new Act(
                new State(now.owner, slabs, handles, pages),
                () -> assertThat(store.free(claim, handle, Version.ofGrant(server, ++grants)))
                        .isEqualTo(Status.OK));
    }

    private Act note(FileBackedStore store, Claim claim) {
        String[] owner = now.owner.split(" ", -1);
        long version = Long.parseLong(owner[2]) + 1;
        byte mark = (byte) random.nextInt(100);
        String after = owner[0] + " " + owner[1] + " " + version + " " + mark;
        return new Act(
                new State(after, now.slabs, now.handles, now.pages),
                () -> assertThat(store.note(claim, version, ByteBuffer.wrap(new byte[] {mark})))
                        .isEqualTo(Status.OK));
    }

    private Act write(FileBackedStore store, Claim claim, int index, int handle, long buffer) {
        int first = random.nextInt(PAGES);
        int count = Math.min(PAGES - first, 1 + random.nextInt(MOST / PAGE));
        int mark = ++stamp;
        Map<Integer, Integer> pages = new TreeMap<>(now.pages);
        for (int page = first; page < first + count; page++) {
            pages.put(State.key(index, page), mark);
        }
        return new Act(touched(index, pages), () -> {
            for (int at = 0; at < count * PAGE; at += Long.BYTES) {
                RawMemory.setRelease(buffer + at, word(index, first + at / PAGE, mark));
            }
            assertThat(store.write(claim, handle, first * PAGE, count * PAGE, ++versions, buffer))
                    .isEqualTo(Status.OK);
        });
    }

    private Act trim(FileBackedStore store, Claim claim, int index, int handle, long buffer) {
        int first = random.nextInt(PAGES);
        int count = Math.min(PAGES - first, 1 + random.nextInt(6));
        Map<Integer, Integer> pages = new TreeMap<>(now.pages);
        for (int page = first; page < first + count; page++) {
            pages.put(State.key(index, page), BLANK);
        }
        return new Act(
                touched(index, pages),
                () -> assertThat(store.trim(claim, handle, first * PAGE, count * PAGE, ++versions, buffer))
                        .isEqualTo(Status.OK));
    }

    private State touched(int index, Map<Integer, Integer> pages) {
        String[] was = words(index);
        Map<Integer, String> slabs = new TreeMap<>(now.slabs);
        slabs.put(index, was[0] + ", " + was[1] + ", " + was[2] + ", " + was[3] + ", true");
        return new State(now.owner, slabs, now.handles, pages);
    }

    private static long word(int index, int page, int mark) {
        return (long) index << 56 | (long) page << 40 | mark;
    }

    /** What a store says that it has; without a claim the owner only. */
    private static State observe(FileBackedStore store, @Nullable Claim claim, long buffer) throws IOException {
        HelloReply reply = reply(store.hello(Hello.observe("a", 0), () -> {}));
        ByteBuffer note = reply.note();
        String owner = reply.hasContent()
                ? reply.epoch() + " " + reply.content() + " " + reply.noteVersion() + " " + note.get(note.position())
                : "0";
        if (claim == null) {
            return new State(owner, Map.of(), Map.of(), Map.of());
        }
        Map<Integer, String> slabs = new TreeMap<>();
        Map<Integer, Integer> handles = new TreeMap<>();
        Map<Integer, Integer> pages = new TreeMap<>();
        SlabList list = store.list(claim, 0).slabs();
        for (int i = 0; i < list.size(); i++) {
            SlabCopies copies = list.copies(i);
            slabs.put(
                    list.index(i),
                    list.grantVersion(i) + ", " + list.generation(i) + ", " + copies.filling() + ", " + copies.count()
                            + ", " + list.touched(i));
            handles.put(list.index(i), list.handle(i));
            PageMarks marks = store.pages(claim, list.handle(i), 0, SLAB).marks();
            for (int page = 0; page < PAGES; page++) {
                int content = content(store, claim, list.index(i), list.handle(i), page, marks, buffer);
                pages.put(State.key(list.index(i), page), content);
            }
        }
        return new State(owner, slabs, handles, pages);
    }

    private static int content(
            FileBackedStore store, Claim claim, int index, int handle, int page, PageMarks marks, long buffer)
            throws IOException {
        byte status = store.read(claim, handle, page * PAGE, PAGE, buffer);
        if (marks.lost(page)) {
            assertThat(status).isEqualTo(Status.PAGE_LOST);
            return LOST;
        }
        assertThat(status).isEqualTo(Status.OK);
        long first = RawMemory.getVolatile(buffer);
        for (int at = 0; at < PAGE; at += Long.BYTES) {
            assertThat(RawMemory.getVolatile(buffer + at))
                    .as("a page that is torn")
                    .isEqualTo(first);
        }
        if (!marks.written(page)) {
            assertThat(first).isZero();
            return BLANK;
        }
        assertThat(first >>> 40).as("another page's bytes").isEqualTo(word(index, page, 0) >>> 40);
        return (int) first;
    }

    private static HelloReply reply(Admission admission) {
        return Objects.requireNonNull(admission.reply());
    }

    /** The process ends here. */
    private static final class Killed extends RuntimeException {
        private static final long serialVersionUID = 1;
    }

    /** Lets some writes through. The one after them is begun, and how far it came is drawn when nobody looks any more. */
    private final class Killer implements SlabFile {

        private final Path path;
        private final SlabFile file;
        private int left;
        private byte[] before = {};
        private byte[] after = {};
        private int unit = PIECE;

        Killer(Path path, SlabFile file, int writes) {
            this.path = path;
            this.file = file;
            left = writes;
        }

        private interface Write {
            void run() throws IOException;
        }

        private void write(int piece, Write write) throws IOException {
            if (left < 0) {
                throw new Killed();
            }
            if (left-- > 0) {
                write.run();
                return;
            }
            unit = piece;
            before = Files.readAllBytes(path);
            write.run();
            after = Files.readAllBytes(path);
            throw new Killed();
        }

        /** A kill does not cut what the disk does at once: a page of data. Of records any pieces may be there. */
        void tear() throws IOException {
            int kind = random.nextInt(3);
            byte[] torn = before.clone();
            for (int at = 0; at < torn.length; at += unit) {
                boolean done = kind == 0 || (kind == 1 && random.nextBoolean());
                if (done) {
                    System.arraycopy(after, at, torn, at, Math.min(unit, torn.length - at));
                }
            }
            Files.write(path, torn, StandardOpenOption.WRITE);
        }

        @Override
        public void read(int slot, int offset, int length, long to) throws IOException {
            file.read(slot, offset, length, to);
        }

        @Override
        public void write(int slot, int offset, int length, long from) throws IOException {
            write(PAGE, () -> file.write(slot, offset, length, from));
        }

        @Override
        public void keepExport(KeptExport export, boolean blank) throws IOException {
            write(PIECE, () -> file.keepExport(export, blank));
        }

        @Override
        public void keepSlab(KeptSlab slab) throws IOException {
            write(PIECE, () -> file.keepSlab(slab));
        }

        @Override
        public void keepFree(KeptSlab slab) throws IOException {
            write(PIECE, () -> file.keepFree(slab));
        }

        @Override
        public void keepMarks(KeptSlab slab, int piece, boolean touched, PageMarks marks) throws IOException {
            write(PIECE, () -> file.keepMarks(slab, piece, touched, marks));
        }
    }
}
