package io.leapnbd.donor.store;

import static java.util.Objects.requireNonNull;
import static org.assertj.core.api.Assertions.assertThat;

import io.leapnbd.donor.Hellos;
import io.leapnbd.donor.Pages;
import io.leapnbd.donor.protocol.Hello;
import io.leapnbd.donor.protocol.HelloReply;
import io.leapnbd.donor.protocol.Protocol;
import io.leapnbd.donor.protocol.Status;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.UUID;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** What a server leaves at a donor for the next one (A5, E3). */
class NoteTest {

    private final AtomicLong clock = new AtomicLong();
    private SlabStore store;

    @BeforeEach
    void open() throws IOException {
        store = SlabStore.open(Settings.slabs(1, clock).withLease(Duration.ofSeconds(60)));
    }

    @AfterEach
    void close() {
        store.close();
    }

    private String noteOf(String export) {
        return Pages.text(
                requireNonNull(store.hello(Hellos.observe(export)).reply()).note());
    }

    private static ByteBuffer bytes(String text) {
        return ByteBuffer.wrap(text.getBytes(StandardCharsets.US_ASCII));
    }

    @Test
    void aNoteComesWithTheClaimAndChangesByVersion() {
        Claim claim = Lent.claim(store, "a", 1);
        assertThat(noteOf("a")).isEqualTo("note of 1");
        ByteBuffer two = bytes("two");
        assertThat(store.note(claim, 2, two)).isEqualTo(Status.OK);
        assertThat(two.remaining()).isEqualTo(3);
        assertThat(noteOf("a")).isEqualTo("two");
        // Late, over another link: ignored.
        assertThat(store.note(Lent.claim(store, "a", 1), 1, bytes("one"))).isEqualTo(Status.OK);
        assertThat(noteOf("a")).isEqualTo("two");
        assertThat(store.note(claim, 2, bytes("two again"))).isEqualTo(Status.OK);
        assertThat(noteOf("a")).isEqualTo("two");
        assertThat(store.note(claim, 3, bytes(""))).isEqualTo(Status.OK);
        assertThat(noteOf("a")).isEmpty();
    }

    @Test
    void theNextClaimFindsItAndReplacesIt() {
        Claim old = Lent.claim(store, "a", 1);
        store.note(old, 9, bytes("nine"));
        // A note that came after the look is not overwritten unseen.
        Admission late = store.hello(Hellos.claimAfterNote("a", 1, Hellos.CONTENT, 8, 2));
        assertThat(late.status()).isEqualTo(Status.CONFLICT);
        assertThat(requireNonNull(late.reply()).noteVersion()).isEqualTo(9);
        Admission next = store.hello(Hellos.claimAfterNote("a", 1, Hellos.CONTENT, 9, 2));
        assertThat(Pages.text(requireNonNull(next.reply()).note())).isEqualTo("nine");
        assertThat(noteOf("a")).isEqualTo("note of 2");
        assertThat(store.note(old, 10, bytes("late"))).isEqualTo(Status.FENCED);
        assertThat(noteOf("a")).isEqualTo("note of 2");
        assertThat(store.note(requireNonNull(next.claim()), 1, bytes("first of 2")))
                .isEqualTo(Status.OK);
        assertThat(noteOf("a")).isEqualTo("first of 2");
    }

    @Test
    void aNoteOutOfRangeIsRefused() {
        Claim claim = Lent.claim(store, "a", 1);
        assertThat(store.note(claim, 0, bytes("zero"))).isEqualTo(Status.BAD_REQUEST);
        assertThat(store.note(claim, 1, ByteBuffer.allocate(Protocol.MAX_NOTE + 1)))
                .isEqualTo(Status.BAD_REQUEST);
        assertThat(noteOf("a")).isEqualTo("note of 1");
        assertThat(store.note(claim, 1, ByteBuffer.allocate(Protocol.MAX_NOTE))).isEqualTo(Status.OK);
    }

    /** F9: notes of all exports together have a bound, and what ends gives its part back. */
    @Test
    void notesOfAllExportsHaveABound() {
        int most = ExportTable.MAX_NOTES / Protocol.MAX_NOTE;
        List<Claim> claims = new ArrayList<>();
        for (int i = 0; i < most; i++) {
            Admission admission = hello(large("export " + i, 0, HelloReply.NONE), i);
            assertThat(admission.status()).isEqualTo(Status.OK);
            claims.add(requireNonNull(admission.claim()));
        }
        assertThat(hello(large("one more", 0, HelloReply.NONE), 0).status()).isEqualTo(Status.NO_SPACE);
        // A refused claim has changed nothing, and one in place of a note as large is none more.
        assertThat(noteOf("one more")).isEmpty();
        assertThat(hello(large("export 0", 1, Hellos.CONTENT), 0).status()).isEqualTo(Status.OK);
        assertThat(store.note(claims.get(1), 1, ByteBuffer.allocate(Protocol.MAX_NOTE)))
                .isEqualTo(Status.OK);
        assertThat(store.note(claims.get(1), 2, ByteBuffer.allocate(Protocol.MAX_NOTE - 1)))
                .isEqualTo(Status.OK);
        assertThat(store.note(claims.get(2), 1, ByteBuffer.allocate(Protocol.MAX_NOTE)))
                .isEqualTo(Status.OK);

        for (Claim claim : claims) {
            claim.close();
        }
        clock.addAndGet(TimeUnit.HOURS.toNanos(1));
        for (int i = 1; i < most; i++) {
            assertThat(hello(large("later " + i, 0, HelloReply.NONE), i).status())
                    .isEqualTo(Status.OK);
        }
        assertThat(hello(large("later still", 0, HelloReply.NONE), 0).status()).isEqualTo(Status.NO_SPACE);
    }

    /** Of one of two owners, in turn: one alone may not have all. */
    private Admission hello(Hello hello, int count) {
        return store.hello(hello, Identity.ANONYMOUS, "owner " + count % 2, () -> {});
    }

    private static Hello large(String export, long epoch, UUID found) {
        return Hello.claim(
                export,
                0,
                false,
                epoch,
                found,
                0,
                Hellos.CONTENT,
                Hellos.instance(1),
                1,
                Hellos.HOST,
                "",
                ByteBuffer.allocate(Protocol.MAX_NOTE));
    }
}
