package io.leapnbd.bypass.spill;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.leapnbd.donor.memory.MappedMemory;
import io.leapnbd.donor.memory.RawMemory;
import io.leapnbd.donor.protocol.Hello;
import io.leapnbd.donor.protocol.HelloReply;
import io.leapnbd.donor.protocol.PageMarks;
import io.leapnbd.donor.protocol.SlabCopies;
import io.leapnbd.donor.protocol.SlabList;
import io.leapnbd.donor.protocol.SlabName;
import io.leapnbd.donor.protocol.Status;
import io.leapnbd.donor.store.Claim;
import io.leapnbd.donor.store.FileBackedStore;
import io.leapnbd.donor.store.KeptExport;
import io.leapnbd.donor.store.KeptSlab;
import io.leapnbd.donor.store.SlabFile;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Objects;
import java.util.UUID;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A disk that fails a write, once: nothing that failed is taken for kept when it is asked for again, and the next process finds what was answered. */
class SpillErrorsTest {

    private static final int SLAB = 1 << 20;
    private static final int PAGE = 4096;
    private static final UUID BOOT = new UUID(1, 1);
    private static final SlabName ELSEWHERE = new SlabName(new UUID(5, 5), 1, 1);
    private static final long[] NOTHING_LOST = {};

    @TempDir
    private Path folder;

    private MappedMemory memory;
    private SpillFile file;
    private Failing failing;
    private FileBackedStore store;
    private Claim claim;
    private long server;

    @BeforeEach
    void open() throws IOException {
        memory = MappedMemory.reserve(4 * PAGE, false);
        reopen();
    }

    @AfterEach
    void close() throws IOException {
        store.close();
        file.close();
        memory.close();
    }

    private void reopen() throws IOException {
        file = SpillFile.open(folder.resolve("spill"), BOOT);
        file.lay(SLAB, 4);
        failing = new Failing(file);
        store = FileBackedStore.open(file.load(), failing);
        HelloReply found = Objects.requireNonNull(
                store.hello(Hello.observe("a", 0), () -> {}).reply());
        claim = Objects.requireNonNull(store.hello(hello(found), () -> {}).claim());
    }

    /** Another process comes. */
    private void comeBack() throws IOException {
        store.close();
        file.close();
        reopen();
    }

    private Hello hello(HelloReply found) {
        server++;
        return Hello.claim(
                "a",
                0,
                false,
                found.epoch(),
                found.content(),
                found.noteVersion(),
                new UUID(3, 3),
                new UUID(server, server),
                server,
                new UUID(5, 5),
                "server",
                ByteBuffer.allocate(0));
    }

    private int granted(int index, long version) {
        return store.grant(claim, index, version, SlabCopies.ALONE, NOTHING_LOST)
                .handle();
    }

    private void failsOnce(ThrowingCall call) {
        failing.next = true;
        assertThatThrownBy(call::run).hasMessageContaining("this disk has failed");
        assertThat(failing.next).isFalse();
    }

    private SlabList list() {
        return store.list(claim, 0).slabs();
    }

    private byte write(int handle, long version, long word) throws IOException {
        RawMemory.zero(memory.address(), PAGE);
        RawMemory.setRelease(memory.address(), word);
        return store.write(claim, handle, 0, PAGE, version, memory.address());
    }

    private long read(int handle) throws IOException {
        assertThat(store.read(claim, handle, 0, PAGE, memory.address())).isEqualTo(Status.OK);
        return RawMemory.getVolatile(memory.address());
    }

    @Test
    void aGrantThatIsSentAgainIsKept() throws IOException {
        failsOnce(() -> granted(1, 7));
        int handle = granted(1, 7);
        comeBack();
        assertThat(list().size()).isOne();
        assertThat(list().handle(0)).isEqualTo(handle);
    }

    @Test
    void aGrantWhoseLostPagesCouldNotBeKeptIsKeptWithThemWhenItIsSentAgain() throws IOException {
        long[] lost = {5};
        failsOnce(() -> store.grant(claim, 1, 7, SlabCopies.ALONE, lost));
        assertThat(store.grant(claim, 1, 7, SlabCopies.ALONE, lost).status()).isEqualTo(Status.OK);
        comeBack();
        PageMarks marks = store.pages(claim, list().handle(0), 0, SLAB).marks();
        assertThat(marks.lostWord(0)).isEqualTo(5);
    }

    @Test
    void aPlacementThatIsSentAgainIsKept() throws IOException {
        int handle = granted(1, 7);
        SlabCopies copies =
                SlabCopies.live(List.of(new SlabName(store.statistics().incarnation(), handle, 7), ELSEWHERE));
        failsOnce(() -> store.place(claim, handle, 9, copies));
        assertThat(store.place(claim, handle, 9, copies)).isEqualTo(Status.OK);
        comeBack();
        assertThat(list().generation(0)).isEqualTo(9);
        assertThat(list().copies(0)).isEqualTo(copies);
    }

    /** If it were gone in memory only, it would be answered as gone, and be there again for the next process. */
    @Test
    void aSlabThatCouldNotBeFreedIsStillThere() throws IOException {
        int handle = granted(1, 7);
        failsOnce(() -> store.free(claim, handle, 7));
        assertThat(list().size()).isOne();
        assertThat(store.free(claim, handle, 7)).isEqualTo(Status.OK);
        comeBack();
        assertThat(list().size()).isZero();
    }

    @Test
    void aNoteThatIsSentAgainIsKept() throws IOException {
        ByteBuffer note = ByteBuffer.wrap(new byte[] {42});
        failsOnce(() -> store.note(claim, 3, note.duplicate()));
        assertThat(store.note(claim, 3, note.duplicate())).isEqualTo(Status.OK);
        store.close();
        file.close();
        file = SpillFile.open(folder.resolve("spill"), BOOT);
        assertThat(Objects.requireNonNull(file.export()).note()).isEqualTo(note);
        file.close();
        reopen();
    }

    /** Its bytes are there the second time, but the mark is not. */
    @Test
    void aWriteWhoseMarksCouldNotBeKeptIsKeptWhenItIsSentAgain() throws IOException {
        int handle = granted(1, 7);
        failing.skip = 1;
        failsOnce(() -> write(handle, 1, 99));
        assertThat(write(handle, 1, 99)).isEqualTo(Status.OK);
        comeBack();
        assertThat(read(list().handle(0))).isEqualTo(99);
    }

    @Test
    void aTrimWhoseMarksCouldNotBeKeptIsKeptWhenItIsSentAgain() throws IOException {
        int handle = granted(1, 7);
        assertThat(write(handle, 1, 99)).isEqualTo(Status.OK);
        failsOnce(() -> store.trim(claim, handle, 0, PAGE, 2, memory.address()));
        assertThat(store.trim(claim, handle, 0, PAGE, 2, memory.address())).isEqualTo(Status.OK);
        comeBack();
        assertThat(read(list().handle(0))).isZero();
    }

    @Test
    void whatWasThereBeforeIsReadAfterAWriteThatTheDiskHasFailed() throws IOException {
        int handle = granted(1, 7);
        assertThat(write(handle, 1, 99)).isEqualTo(Status.OK);
        failsOnce(() -> write(handle, 2, 100));
        assertThat(read(handle)).isEqualTo(99);
        comeBack();
        assertThat(read(list().handle(0))).isEqualTo(99);
    }

    /** A boot later the file is another one's, as a donor's process that has restarted. */
    @Test
    void afterARebootNothingOfItCounts() throws IOException {
        int handle = granted(1, 7);
        assertThat(write(handle, 1, 99)).isEqualTo(Status.OK);
        UUID before = store.statistics().incarnation();
        store.close();
        file.close();
        file = SpillFile.open(folder.resolve("spill"), new UUID(2, 2));
        assertThat(file.slabsHeld()).isZero();
        file.lay(SLAB, 4);
        store = FileBackedStore.open(file.load(), file);
        HelloReply found = Objects.requireNonNull(
                store.hello(Hello.observe("a", 0), () -> {}).reply());
        assertThat(found.epoch()).isZero();
        assertThat(found.hasContent()).isFalse();
        assertThat(found.incarnation()).isNotEqualTo(before);
        claim = Objects.requireNonNull(store.hello(hello(found), () -> {}).claim());
        // The same slot, with the bytes of before.
        int fresh = granted(1, 7);
        assertThat(read(fresh)).isZero();
        assertThat(Files.size(folder.resolve("spill"))).isGreaterThan(4L * SLAB);
    }

    private interface ThrowingCall {
        void run() throws IOException;
    }

    /** Fails the next write, or one after it. */
    private static final class Failing implements SlabFile {

        private final SlabFile file;
        private boolean next;
        private int skip;

        Failing(SlabFile file) {
            this.file = file;
        }

        private void fail() throws IOException {
            if (next && skip-- <= 0) {
                skip = 0;
                next = false;
                throw new IOException("this disk has failed");
            }
        }

        @Override
        public void read(int slot, int offset, int length, long to) throws IOException {
            file.read(slot, offset, length, to);
        }

        @Override
        public void write(int slot, int offset, int length, long from) throws IOException {
            fail();
            file.write(slot, offset, length, from);
        }

        @Override
        public void keepExport(KeptExport export, boolean blank) throws IOException {
            fail();
            file.keepExport(export, blank);
        }

        @Override
        public void keepSlab(KeptSlab slab) throws IOException {
            fail();
            file.keepSlab(slab);
        }

        @Override
        public void keepFree(KeptSlab slab) throws IOException {
            fail();
            file.keepFree(slab);
        }

        @Override
        public void keepMarks(KeptSlab slab, int piece, boolean touched, PageMarks marks) throws IOException {
            fail();
            file.keepMarks(slab, piece, touched, marks);
        }
    }
}
