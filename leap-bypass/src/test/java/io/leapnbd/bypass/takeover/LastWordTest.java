package io.leapnbd.bypass.takeover;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.leapnbd.bypass.cipher.Encryption;
import io.leapnbd.bypass.link.Conversation;
import io.leapnbd.bypass.link.Donor;
import io.leapnbd.bypass.link.DonorConnector;
import io.leapnbd.bypass.link.DonorLink;
import io.leapnbd.bypass.link.IgnoringListener;
import io.leapnbd.bypass.link.LinkSettings;
import io.leapnbd.bypass.link.LocalConnector;
import io.leapnbd.donor.protocol.Hello;
import io.leapnbd.donor.protocol.HelloReply;
import io.leapnbd.donor.protocol.Status;
import io.leapnbd.donor.store.Claim;
import io.leapnbd.donor.store.SlabStore;
import io.leapnbd.donor.store.StoreSettings;
import io.netty.channel.EventLoop;
import java.io.IOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.UUID;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/**
 * When a server that takes over is ready: not before the owner before can believe no more that it owns the export, and not before each donor
 * has confirmed it after that (docs/ownership.md, rule 7). Real donors, without their sockets, by a clock that only a start's waits move.
 */
class LastWordTest {

    private static final String EXPORT = "swap0";
    private static final int SLAB = 1 << 20;
    private static final long SIZE = 4L * SLAB;
    private static final long BELIEF = TimeUnit.MILLISECONDS.toNanos(Takeover.SELF_ANSWER_MILLIS);
    private static final long BEGIN = TimeUnit.HOURS.toNanos(1);

    private final AtomicLong now = new AtomicLong(BEGIN);
    private final List<SlabStore> stores = new ArrayList<>();
    private final List<TakenExport> taken = new ArrayList<>();
    private int claims;
    private TakenExport before;

    /** Happens whenever a start waits. */
    private Runnable meanwhile = () -> {};

    @BeforeEach
    void anOwnerWithTwoDonors() throws IOException {
        stores.add(donor());
        stores.add(donor());
        before = start(1);
        assertThat(now).hasValue(BEGIN);
    }

    @AfterEach
    void close() throws IOException {
        for (TakenExport export : taken) {
            export.state().close();
            export.locked().close();
        }
        stores.forEach(SlabStore::close);
    }

    private SlabStore donor() throws IOException {
        StoreSettings settings = StoreSettings.ofMemory(8L * SLAB, SLAB)
                .withReadySlabs(0)
                .withLock(false)
                .withHugePages(false)
                .withNanoClock(now::get);
        return SlabStore.open(settings, UUID.randomUUID());
    }

    private TakenExport start(int host) throws IOException {
        TakeoverSettings settings = new TakeoverSettings(
                EXPORT,
                SIZE,
                1,
                new UUID(host, host),
                "host " + host,
                new CopiesWish(1, false, List.of(0, 1)),
                null,
                true,
                false,
                false,
                false,
                Encryption.OFF,
                Duration.ZERO);
        TakenExport export = new Takeover(settings, List.of(new At(0), new At(1)), new Scripted()).take();
        taken.add(export);
        return export;
    }

    private void pass(long millis) {
        now.addAndGet(TimeUnit.MILLISECONDS.toNanos(millis));
    }

    /** A donor answers the owner something. */
    private void answersTheOwner(int donor) {
        SlabStore store = stores.get(donor);
        long epoch = before.standings().get(donor).epoch();
        Hello join = Hello.join(EXPORT, 0, epoch, before.instance());
        Claim link = Objects.requireNonNull(store.hello(join).claim());
        store.heard(link);
        assertThat(store.ping(link)).isEqualTo(Status.OK);
    }

    private HelloReply at(int donor) {
        return Objects.requireNonNull(
                stores.get(donor).hello(Hello.observe(EXPORT, 0)).reply());
    }

    private void anotherServerClaims(int donor) {
        HelloReply found = at(donor);
        claims++;
        Hello claim = Hello.claim(
                EXPORT,
                0,
                false,
                found.epoch(),
                found.content(),
                found.noteVersion(),
                found.content(),
                new UUID(66, claims),
                found.term() + 1,
                new UUID(3, 3),
                "host 3",
                found.note());
        assertThat(stores.get(donor).hello(claim).status()).isEqualTo(Status.OK);
    }

    private void restarts(int donor) throws IOException {
        stores.get(donor).close();
        stores.set(donor, donor());
    }

    private void isOwner(TakenExport export) {
        for (int donor = 0; donor < stores.size(); donor++) {
            assertThat(at(donor).instance()).isEqualTo(export.instance());
            assertThat(at(donor).epoch())
                    .isEqualTo(export.standings().get(donor).epoch());
        }
    }

    @Test
    void nobody_is_ready_while_the_owner_before_may_answer_by_itself() throws IOException {
        answersTheOwner(0);
        pass(400);
        answersTheOwner(1);
        long last = now.get();
        pass(300);
        TakenExport after = start(2);
        assertThat(now.get() - last).isBetween(BELIEF, 2 * BELIEF);
        isOwner(after);
    }

    @Test
    void what_was_answered_long_ago_is_not_waited_for() throws IOException {
        answersTheOwner(0);
        answersTheOwner(1);
        pass(10_000);
        long begin = now.get();
        start(2);
        assertThat(now).hasValue(begin);
    }

    /** The process that answered the owner a moment ago has ended, and the one that is there now knows nothing of it. */
    @Test
    void a_donor_that_has_restarted_may_have_answered_just_before() throws IOException {
        answersTheOwner(1);
        pass(10_000);
        restarts(0);
        long begin = now.get();
        start(2);
        assertThat(now.get() - begin).isBetween(BELIEF, 2 * BELIEF);
    }

    @Test
    void whoever_is_pushed_aside_while_it_waits_is_not_ready() throws IOException {
        meanwhile = () -> {
            if (claims == 0) {
                anotherServerClaims(1);
            }
        };
        TakenExport after = start(2);
        assertThat(claims).isOne();
        // It began again, and saw the other one.
        isOwner(after);
        assertThat(after.term()).isGreaterThan(before.term() + 2);
    }

    @Test
    void whoever_is_pushed_aside_again_and_again_gives_up() {
        meanwhile = () -> anotherServerClaims(1);
        assertThatThrownBy(() -> start(2))
                .isInstanceOf(IOException.class)
                .hasMessageContaining("while the export was taken over");
        assertThat(at(1).instance()).isEqualTo(new UUID(66, claims));
    }

    /** Its successor may have been claimed by anybody. */
    @Test
    void a_donor_that_restarts_while_a_start_waits_is_claimed_anew_before_it_is_ready() throws IOException {
        UUID first = at(0).incarnation();
        meanwhile = () -> {
            if (at(0).incarnation().equals(first)) {
                try {
                    restarts(0);
                } catch (IOException e) {
                    throw new AssertionError(e);
                }
            }
        };
        isOwner(start(2));
    }

    /** A start's waits are all that takes time. */
    private final class Scripted implements StartClock {

        @Override
        public long nanoTime() {
            return now.get();
        }

        @Override
        public void pause(long millis) {
            pass(millis);
            meanwhile.run();
        }
    }

    /** The process that is at an address at the time. */
    private final class At implements DonorConnector {

        private final int number;
        private final Donor donor;

        At(int number) {
            this.number = number;
            donor = new Donor("d" + number, new IgnoringListener());
        }

        @Override
        public Donor donor() {
            return donor;
        }

        @Override
        public Conversation talk(String export) {
            return new LocalConnector(donor, stores.get(number)).talk(export);
        }

        @Override
        public DonorLink link(EventLoop loop, int lane, LinkSettings settings, long requestTimeoutNanos) {
            throw new UnsupportedOperationException();
        }
    }
}
