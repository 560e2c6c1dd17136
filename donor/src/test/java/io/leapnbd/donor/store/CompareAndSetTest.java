package io.leapnbd.donor.store;

import static io.leapnbd.donor.Pages.PAGE;
import static java.util.Objects.requireNonNull;
import static org.assertj.core.api.Assertions.assertThat;

import io.leapnbd.donor.Hellos;
import io.leapnbd.donor.Pages;
import io.leapnbd.donor.protocol.Hello;
import io.leapnbd.donor.protocol.HelloReply;
import io.leapnbd.donor.protocol.Status;
import io.leapnbd.donor.protocol.Version;
import java.io.IOException;
import java.util.UUID;
import java.util.concurrent.CyclicBarrier;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** A claim sets what a donor knows of an export, provided that it still is as it was observed (A3, A4, F3, F8). */
class CompareAndSetTest {

    private static final UUID OTHER = new UUID(70, 80);

    private SlabStore store;

    @BeforeEach
    void open() throws IOException {
        store = SlabStore.open(Settings.slabs(4));
    }

    @AfterEach
    void close() {
        store.close();
    }

    private HelloReply observe(String export) {
        return requireNonNull(store.hello(Hellos.observe(export)).reply());
    }

    /** A3: the second of two servers that saw the same is told of the first, and the first goes on. */
    @Test
    void ofTwoClaimsAfterOneObservationTheFirstWins() {
        HelloReply seen = observe("a");
        assertThat(store.hello(Hellos.claim("a", seen.epoch(), seen.content(), 1))
                        .status())
                .isEqualTo(Status.OK);
        Lent first = Lent.grant(store, "a", 1, 0);

        Admission second = store.hello(Hellos.claim("a", seen.epoch(), seen.content(), 2));
        assertThat(second.status()).isEqualTo(Status.CONFLICT);
        assertThat(second.claim()).isNull();
        HelloReply told = requireNonNull(second.reply());
        assertThat(told.epoch()).isEqualTo(1);
        assertThat(told.content()).isEqualTo(Hellos.CONTENT);
        assertThat(told.instance()).isEqualTo(Hellos.instance(1));
        assertThat(told.term()).isEqualTo(1);
        assertThat(told.host()).isEqualTo(Hellos.HOST);
        assertThat(told.owner()).isEqualTo("server 1");
        assertThat(told.links()).isEqualTo(2);
        assertThat(told.heldSlabs()).isEqualTo(1);
        assertThat(Pages.text(told.note())).isEqualTo("note of 1");
        assertThat(first.write(0, PAGE, 0, 1)).isEqualTo(Status.OK);
    }

    @Test
    void ofManyClaimsAtOnceOneWins() throws Exception {
        int servers = 4;
        for (int round = 0; round < 200; round++) {
            HelloReply seen = observe("a");
            AtomicInteger won = new AtomicInteger();
            AtomicInteger lost = new AtomicInteger();
            CyclicBarrier start = new CyclicBarrier(servers);
            Thread[] threads = new Thread[servers];
            for (int i = 0; i < servers; i++) {
                Hello hello = Hellos.claim("a", seen.epoch(), seen.content(), 1 + i);
                threads[i] = Thread.ofPlatform().start(() -> {
                    try {
                        start.await();
                    } catch (Exception e) {
                        throw new IllegalStateException(e);
                    }
                    byte status = store.hello(hello).status();
                    (status == Status.OK ? won : status == Status.CONFLICT ? lost : new AtomicInteger())
                            .incrementAndGet();
                });
            }
            for (Thread thread : threads) {
                thread.join();
            }
            assertThat(won).hasValue(1);
            assertThat(lost).hasValue(servers - 1);
            assertThat(observe("a").epoch()).isEqualTo(round + 1L);
        }
    }

    /** A3: neither a number that is too high nor the contents of another time take anything back. */
    @Test
    void aClaimThatHasSeenSomethingElseChangesNothing() {
        Lent owner = Lent.grant(store, "a", 1, 0);
        owner.write(0, PAGE, 0, 1);
        Hello[] wrong = {
            Hellos.claim("a", 0, Hellos.CONTENT, 2),
            Hellos.claim("a", 2, Hellos.CONTENT, 2),
            Hellos.claim("a", Long.MAX_VALUE - 1, Hellos.CONTENT, 2),
            Hellos.claim("a", 1, HelloReply.NONE, 2),
            Hellos.claim("a", 1, OTHER, 2),
            Hellos.claim("a", true, 1, HelloReply.NONE, OTHER, 2),
            Hellos.claim("a", true, 1, OTHER, Hellos.CONTENT, 2),
            Hellos.claim("a", true, 0, Hellos.CONTENT, OTHER, 2),
        };
        for (Hello hello : wrong) {
            assertThat(store.hello(hello).status()).as("%s", hello).isEqualTo(Status.CONFLICT);
        }
        assertThat(owner.claim().fenced()).isFalse();
        assertThat(owner.read(0, PAGE)).isEqualTo(Pages.array(1, PAGE));
        assertThat(observe("a").epoch()).isEqualTo(1);
        assertThat(observe("a").instance()).isEqualTo(Hellos.instance(1));
    }

    /** F8: a claim cannot use up epochs: the donor counts them one by one. */
    @Test
    void everyClaimIsGivenTheNextEpoch() {
        for (long epoch = 1; epoch <= 100; epoch++) {
            HelloReply seen = observe("a");
            assertThat(seen.epoch()).isEqualTo(epoch - 1);
            Admission won = store.hello(Hellos.claim("a", seen.epoch(), seen.content(), epoch));
            assertThat(requireNonNull(won.reply()).epoch()).isEqualTo(epoch);
            // The rest of the reply is what the claim found.
            assertThat(requireNonNull(won.reply()).term()).isEqualTo(epoch - 1);
        }
    }

    /** A4: no slab of other contents is merged into a device; whoever begins anew says so, and then all of it is gone. */
    @Test
    void otherContentsHaveToSayBlankAndFindNothing() {
        Lent old = Lent.grant(store, "a", 1, 0);
        Lent.grant(store, old.claim(), 1, 5);
        old.write(0, PAGE, 0, 1);
        assertThat(store.hello(Hellos.claim("a", false, 1, Hellos.CONTENT, OTHER, 2))
                        .status())
                .isEqualTo(Status.BAD_REQUEST);
        assertThat(old.read(0, PAGE)).isEqualTo(Pages.array(1, PAGE));

        Admission blank = store.hello(Hellos.claim("a", true, 1, Hellos.CONTENT, OTHER, 2));
        assertThat(blank.status()).isEqualTo(Status.OK);
        assertThat(requireNonNull(blank.reply()).heldSlabs()).isZero();
        assertThat(requireNonNull(blank.reply()).freeSlabs()).isEqualTo(4);
        assertThat(requireNonNull(blank.reply()).content()).isEqualTo(Hellos.CONTENT);
        assertAllGone(old, requireNonNull(blank.claim()));
        assertThat(observe("a").content()).isEqualTo(OTHER);
    }

    /** A server goes on with its contents without what a donor held of them: that was given up elsewhere. */
    @Test
    void blankAndTheSameContentsGivesUpWhatIsHeldHere() {
        Lent old = Lent.grant(store, "a", 1, 0);
        Lent.grant(store, old.claim(), 1, 5);
        old.write(0, PAGE, 0, 1);

        Admission blank = store.hello(Hellos.claim("a", true, 1, Hellos.CONTENT, Hellos.CONTENT, 2));
        assertThat(blank.status()).isEqualTo(Status.OK);
        assertThat(requireNonNull(blank.reply()).heldSlabs()).isZero();
        assertAllGone(old, requireNonNull(blank.claim()));
        assertThat(observe("a").content()).isEqualTo(Hellos.CONTENT);
        assertThat(observe("a").epoch()).isEqualTo(2);
    }

    private void assertAllGone(Lent old, Claim next) {
        assertThat(old.tryRead(0, PAGE)).isEqualTo(Status.FENCED);
        assertThat(old.as(next, 2).tryRead(0, PAGE)).isEqualTo(Status.NOT_OWNER);
        assertThat(store.list(next, 0).slabs().size()).isZero();
        Lent fresh = Lent.grant(store, next, 2, 0);
        assertThat(fresh.handle()).isNotEqualTo(old.handle());
        assertThat(fresh.read(0, PAGE)).isEqualTo(new byte[PAGE]);
    }

    /** Versions begin anew with blank pages: otherwise a server that went to the end of the numbers would end the export. */
    @Test
    void blankBeginsTheVersionsAnew() {
        Lent first = Lent.grant(store, "a", 1, 0);
        first.write(0, PAGE, Version.MAX_REQUEST - 1, 1);
        Lent second = first.as(Lent.claim(store, "a", 2), 2);
        assertThat(second.write(0, PAGE, Version.MAX_REQUEST - 1, 2)).isEqualTo(Status.BAD_REQUEST);

        Admission blank = store.hello(Hellos.claim("a", true, 2, Hellos.CONTENT, Hellos.CONTENT, 3));
        Lent third = Lent.grant(store, requireNonNull(blank.claim()), 3, 0);
        assertThat(third.write(0, PAGE, Version.MAX_REQUEST - 1, 3)).isEqualTo(Status.OK);
        assertThat(third.read(0, PAGE)).isEqualTo(Pages.array(3, PAGE));
    }

    @Test
    void aJoinNeedsTheEpochAndTheInstance() {
        Lent owner = Lent.grant(store, "a", 1, 0);
        assertThat(store.hello(Hello.join("a", 1, 1, Hellos.instance(1))).status())
                .isEqualTo(Status.OK);
        assertThat(store.hello(Hello.join("a", 1, 2, Hellos.instance(1))).status())
                .isEqualTo(Status.FENCED);
        Admission other = store.hello(Hello.join("a", 1, 1, Hellos.instance(2)));
        assertThat(other.status()).isEqualTo(Status.FENCED);
        assertThat(requireNonNull(other.reply()).instance()).isEqualTo(Hellos.instance(1));
        assertThat(store.hello(Hello.join("b", 1, 1, Hellos.instance(1))).status())
                .isEqualTo(Status.FENCED);
        assertThat(owner.claim().fenced()).isFalse();
        assertThat(observe("a").links()).isEqualTo(2);

        Claim joined = Lent.claim(store, "a", 1);
        Lent.claim(store, "a", 2);
        assertThat(joined.fenced()).isTrue();
        assertThat(store.hello(Hello.join("a", 1, 1, Hellos.instance(1))).status())
                .isEqualTo(Status.FENCED);
    }

    /** What tells other servers whether the owner still answers: A4, E4. */
    @Test
    void anObserverIsToldWhenTheOwnerWasHeardAndAnswered() throws IOException {
        AtomicLong clock = new AtomicLong();
        try (SlabStore timed = SlabStore.open(Settings.slabs(1, clock))) {
            Claim claim = Lent.claim(timed, "a", 1);
            clock.addAndGet(3_000_000_000L);
            timed.heard(claim);
            clock.addAndGet(1_000_000_000L);
            HelloReply heard = requireNonNull(timed.hello(Hellos.observe("a")).reply());
            assertThat(heard.claimedMillisAgo()).isEqualTo(4_000);
            assertThat(heard.heardMillisAgo()).isEqualTo(1_000);
            assertThat(heard.answeredMillisAgo()).isEqualTo(4_000);

            assertThat(timed.ping(claim)).isEqualTo(Status.OK);
            claim.close();
            HelloReply closed = requireNonNull(timed.hello(Hellos.observe("a")).reply());
            assertThat(closed.links()).isZero();
            assertThat(closed.heardMillisAgo()).isEqualTo(-1);
            assertThat(closed.answeredMillisAgo()).isEqualTo(1_000);
            assertThat(closed.heldSlabs()).isZero();
        }
    }
}
