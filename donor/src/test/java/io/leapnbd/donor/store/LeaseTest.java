package io.leapnbd.donor.store;

import static io.leapnbd.donor.Pages.PAGE;
import static java.util.Objects.requireNonNull;
import static org.assertj.core.api.Assertions.assertThat;

import io.leapnbd.donor.Await;
import io.leapnbd.donor.Hellos;
import io.leapnbd.donor.Pages;
import io.leapnbd.donor.protocol.Hello;
import io.leapnbd.donor.protocol.HelloReply;
import io.leapnbd.donor.protocol.Status;
import java.io.IOException;
import java.time.Duration;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

class LeaseTest {

    private static final long LEASE = TimeUnit.SECONDS.toNanos(60);

    /** Begins close to where such clocks overflow. */
    private final AtomicLong clock = new AtomicLong(Long.MAX_VALUE - LEASE / 2);

    private SlabStore store;

    @BeforeEach
    void open() throws IOException {
        store = SlabStore.open(Settings.slabs(2, clock).withLease(Duration.ofSeconds(60)));
    }

    @AfterEach
    void close() {
        store.close();
    }

    @Test
    void slabsStayAsLongAsThereIsALink() {
        Lent slab = Lent.grant(store, "a", 1, 0);
        slab.write(0, PAGE, 1, 1);
        clock.addAndGet(100 * LEASE);
        store.expireLeases();

        assertThat(slab.read(0, PAGE)).isEqualTo(Pages.array(1, PAGE));
    }

    @Test
    void theLeaseBeginsWithTheLastLink() {
        Lent slab = Lent.grant(store, "a", 1, 0);
        Claim second = Lent.claim(store, "a", 1);
        slab.claim().close();
        clock.addAndGet(2 * LEASE);
        store.expireLeases();
        assertThat(store.freeSlabs()).isEqualTo(1);

        second.close();
        second.close();
        clock.addAndGet(LEASE - 1);
        store.expireLeases();
        assertThat(store.freeSlabs()).isEqualTo(1);
        assertThat(store.statistics().exports().getFirst().leaseSecondsLeft()).isZero();

        clock.addAndGet(1);
        store.expireLeases();
        assertThat(store.freeSlabs()).isEqualTo(2);
        assertThat(store.statistics().exports()).isEmpty();
        assertThat(store.statistics().leasesExpired()).isEqualTo(1);
    }

    @Test
    void theLeaseRunsOutByItself() {
        Lent.grant(store, "a", 1, 0).claim().close();
        clock.addAndGet(LEASE);

        Await.until("the slab is taken back", () -> store.freeSlabs() == 2);
    }

    @Test
    void aClaimWithinTheLeaseKeepsTheSlabs() {
        Lent slab = Lent.grant(store, "a", 1, 7);
        slab.write(0, PAGE, 1, 1);
        slab.claim().close();
        clock.addAndGet(LEASE - 1);
        Claim next = Lent.claim(store, "a", 2);
        clock.addAndGet(10 * LEASE);
        store.expireLeases();

        assertThat(slab.as(next, 2).read(0, PAGE)).isEqualTo(Pages.array(1, PAGE));
    }

    @Test
    void anExportThatIsGivenUpIsForgottenWithItsLastLinkAndItsEpochStays() {
        Lent slab = Lent.grant(store, "a", 1, 0);
        Claim second = Lent.claim(store, "a", 1);
        assertThat(store.release(second)).isEqualTo(Status.OK);
        second.close();
        assertThat(store.freeSlabs()).isEqualTo(1);

        slab.claim().close();
        assertThat(store.freeSlabs()).isEqualTo(2);
        HelloReply left = requireNonNull(store.hello(Hellos.observe("a")).reply());
        assertThat(left.hasContent()).isFalse();
        assertThat(left.epoch()).isPositive();
    }

    @Test
    void aNewerClaimMakesItVoidThatAnExportWasGivenUp() {
        Lent slab = Lent.grant(store, "a", 1, 7);
        slab.write(0, PAGE, 1, 1);
        assertThat(store.release(slab.claim())).isEqualTo(Status.OK);
        Claim next = Lent.claim(store, "a", 2);
        slab.claim().close();
        assertThat(store.release(slab.claim())).isEqualTo(Status.FENCED);
        next.close();

        assertThat(store.freeSlabs()).isEqualTo(1);
    }

    @Test
    void anOlderLinkThatClosesLateDoesNotStartTheLease() {
        Lent old = Lent.grant(store, "a", 1, 0);
        Claim next = Lent.claim(store, "a", 2);
        old.claim().close();
        clock.addAndGet(10 * LEASE);
        store.expireLeases();

        assertThat(old.as(next, 2).read(0, PAGE)).isEqualTo(new byte[PAGE]);
    }

    @Test
    void anObserverDoesNotKeepTheLease() {
        Lent slab = Lent.grant(store, "a", 1, 0);
        store.hello(Hellos.observe("a"));
        slab.claim().close();
        clock.addAndGet(LEASE);
        store.expireLeases();
        assertThat(store.freeSlabs()).isEqualTo(2);
    }

    /** A3: contents are gone after the lease, but no epoch is given out twice. */
    @Test
    void afterTheLeaseTheContentsAreGoneAndTheEpochStays() {
        Lent slab = Lent.grant(store, "a", 9, 0);
        Lent.claim(store, "a", 10).close();
        clock.addAndGet(LEASE);

        HelloReply found = requireNonNull(store.hello(Hellos.observe("a")).reply());
        assertThat(found.epoch()).isEqualTo(2);
        assertThat(found.content()).isEqualTo(HelloReply.NONE);
        assertThat(found.instance()).isEqualTo(HelloReply.NONE);
        assertThat(found.note().remaining()).isZero();
        assertThat(found.claimedMillisAgo()).isEqualTo(-1);
        assertThat(store.hello(Hello.join("a", 0, 2, Hellos.instance(10))).status())
                .isEqualTo(Status.FENCED);
        assertThat(store.hello(Hellos.claim("a", 0, HelloReply.NONE, 9)).status())
                .isEqualTo(Status.CONFLICT);
        Claim next = Lent.claim(store, "a", 11);
        assertThat(requireNonNull(store.hello(Hellos.observe("a")).reply()).epoch())
                .isEqualTo(3);
        assertThat(slab.as(next, 11).tryRead(0, PAGE)).isEqualTo(Status.NOT_OWNER);
        assertThat(slab.tryRead(0, PAGE)).isEqualTo(Status.FENCED);
        assertThat(slab.write(0, PAGE, 1, 1)).isEqualTo(Status.FENCED);
    }

    @Test
    void aFullStoreTakesBackExpiredSlabsBeforeItRefuses() {
        Lent.grant(store, "a", 1, 0).claim().close();
        Claim b = Lent.claim(store, "b", 1);
        Lent.grant(store, b, 1, 0);
        assertThat(store.grant(b, 1, 1).status()).isEqualTo(Status.NO_SPACE);
        clock.addAndGet(LEASE);

        Lent.grant(store, b, 1, 1);
    }

    @Test
    void aStoreRemembersOnlySoManyExports() throws IOException {
        try (SlabStore small = SlabStore.open(Settings.slabs(2, clock).withMaxExports(2))) {
            Lent.grant(small, "holds slabs", 1, 0).claim().close();
            Claim linked = Lent.claim(small, "has a link", 1);
            assertThat(small.hello(Hellos.claim("one more", 1)).status()).isEqualTo(Status.NO_SPACE);
            assertThat(small.hello(Hellos.observe("one more")).status()).isEqualTo(Status.OK);

            linked.close();
            // Its server may believe for a second more that it owns it, so the next one has to be told of it.
            assertThat(small.hello(Hellos.claim("one more", 1)).status()).isEqualTo(Status.NO_SPACE);
            clock.addAndGet(TimeUnit.SECONDS.toNanos(5));
            assertThat(small.hello(Hellos.claim("one more", 1)).status()).isEqualTo(Status.OK);
            assertThat(small.statistics().exports())
                    .extracting(ExportStatistics::name)
                    .containsExactlyInAnyOrder("holds slabs", "one more");
        }
    }
}
