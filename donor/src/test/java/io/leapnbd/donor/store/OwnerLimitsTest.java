package io.leapnbd.donor.store;

import static java.util.Objects.requireNonNull;
import static org.assertj.core.api.Assertions.assertThat;

import io.leapnbd.donor.Hellos;
import io.leapnbd.donor.protocol.Hello;
import io.leapnbd.donor.protocol.HelloReply;
import io.leapnbd.donor.protocol.Protocol;
import io.leapnbd.donor.protocol.Status;
import io.leapnbd.donor.protocol.Version;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.Test;

/** What one owner's exports may hold together, and what is left for others (kin of F9). */
class OwnerLimitsTest {

    private static final int SLABS = 8;

    private final AtomicLong clock = new AtomicLong();

    private SlabStore open(OwnerLimits limits) throws IOException {
        return SlabStore.open(
                Settings.slabs(SLABS, clock).withLease(Duration.ofSeconds(60)).withLimits(limits));
    }

    /** Three slabs for each; "large" may hold six, and "barred" none. */
    private SlabStore open() throws IOException {
        return open(new OwnerLimits(3L * Settings.SLAB + 1, Map.of("large", 6L * Settings.SLAB, "barred", 0L)));
    }

    private static HelloReply observe(SlabStore store, String export, String owner) {
        return requireNonNull(store.hello(Hellos.observe(export), Identity.ANONYMOUS, owner, () -> {})
                .reply());
    }

    private static Admission tryClaim(SlabStore store, String export, String owner, long server) {
        HelloReply found = observe(store, export, owner);
        return store.hello(Hellos.after(found, export, server), Identity.ANONYMOUS, owner, () -> {});
    }

    private static Claim claim(SlabStore store, String export, String owner, long server) {
        Admission admission = tryClaim(store, export, owner, server);
        assertThat(admission.status()).isEqualTo(Status.OK);
        return requireNonNull(admission.claim());
    }

    private static Granted grant(SlabStore store, Claim claim, long server, int index) {
        return store.grant(claim, index, Version.ofGrant(server, index));
    }

    private static int grantAll(SlabStore store, Claim claim, long server) {
        int granted = 0;
        for (int index = 0; index < SLABS; index++) {
            Granted answer = grant(store, claim, server, index);
            granted += answer.status() == Status.OK ? 1 : 0;
            assertThat(answer.status()).isIn(Status.OK, Status.NO_SPACE);
        }
        return granted;
    }

    @Test
    void exportsOfOneOwnerHoldNoMoreTogetherThanItMay() throws IOException {
        try (SlabStore store = open()) {
            Claim one = claim(store, "a", "greedy", 1);
            Claim two = claim(store, "b", "greedy", 1);
            assertThat(grant(store, one, 1, 0).status()).isEqualTo(Status.OK);
            assertThat(grantAll(store, two, 1)).isEqualTo(2);
            assertThat(grant(store, one, 1, 1).status()).isEqualTo(Status.NO_SPACE);
            // What it has already is answered as ever.
            assertThat(grant(store, one, 1, 0).status()).isEqualTo(Status.OK);
            assertThat(store.freeSlabs(one)).isZero();
            assertThat(store.freeSlabs()).isEqualTo(SLABS - 3);
            Claim other = claim(store, "c", "modest", 2);
            assertThat(grantAll(store, other, 2)).isEqualTo(3);
            assertThat(store.statistics().overLimit()).isEqualTo(6 + 1 + 5);
            assertThat(store.statistics().owners())
                    .containsExactlyInAnyOrder(
                            new OwnerStatistics("greedy", 2, 3, 3), new OwnerStatistics("modest", 1, 3, 3));
        }
    }

    @Test
    void oneThatIsNamedHasItsOwnLimitAndNoneMayHoldNothing() throws IOException {
        try (SlabStore store = open()) {
            assertThat(grantAll(store, claim(store, "a", "large", 1), 1)).isEqualTo(6);
            assertThat(grantAll(store, claim(store, "b", "barred", 1), 1)).isZero();
        }
    }

    @Test
    void whatIsGivenBackMayBeHeldAgain() throws IOException {
        try (SlabStore store = open()) {
            Claim claim = claim(store, "a", "greedy", 1);
            Granted first = grant(store, claim, 1, 0);
            assertThat(grantAll(store, claim, 1)).isEqualTo(3);
            // A newer grant of the same index takes the old slab's place.
            assertThat(store.grant(claim, 1, Version.ofGrant(1, 100)).status()).isEqualTo(Status.OK);
            assertThat(store.free(claim, first.handle(), Version.ofGrant(1, 0))).isEqualTo(Status.OK);
            assertThat(store.freeSlabs(claim)).isEqualTo(1);
            assertThat(grant(store, claim, 1, 7).status()).isEqualTo(Status.OK);
            assertThat(grant(store, claim, 1, 6).status()).isEqualTo(Status.NO_SPACE);
        }
    }

    @Test
    void aServerIsToldItsOwnLimitAndRoom() throws IOException {
        try (SlabStore store = open()) {
            Claim claim = claim(store, "a", "greedy", 1);
            assertThat(grant(store, claim, 1, 0).status()).isEqualTo(Status.OK);
            HelloReply its = observe(store, "a", "greedy");
            assertThat(its.limit()).isEqualTo(3);
            assertThat(its.limited()).isEqualTo("greedy");
            assertThat(its.totalSlabs()).isEqualTo(3);
            assertThat(its.freeSlabs()).isEqualTo(2);
            assertThat(its.heldSlabs()).isEqualTo(1);
            assertThat(observe(store, "a", "large").totalSlabs()).isEqualTo(6);
        }
        try (SlabStore store = open(OwnerLimits.NONE)) {
            HelloReply its = observe(store, "a", "anybody");
            assertThat(its.limit()).isEqualTo(HelloReply.Room.UNLIMITED);
            assertThat(its.totalSlabs()).isEqualTo(SLABS);
        }
    }

    @Test
    void anExportThatAnotherOwnerClaimsCountsAsItsAndKeepsItsSlabs() throws IOException {
        try (SlabStore store = open()) {
            Claim large = claim(store, "a", "large", 1);
            assertThat(grantAll(store, large, 1)).isEqualTo(6);
            Claim small = claim(store, "a", "small", 2);
            assertThat(store.statistics().owners()).containsExactly(new OwnerStatistics("small", 1, 6, 3));
            assertThat(store.freeSlabs(small)).isZero();
            assertThat(grant(store, small, 2, 7).status()).isEqualTo(Status.NO_SPACE);
            assertThat(store.list(small, 0).slabs().size()).isEqualTo(6);
            assertThat(grantAll(store, claim(store, "b", "large", 1), 1)).isEqualTo(2);
        }
    }

    @Test
    void whatALeaseEndsIsCountedNoMore() throws IOException {
        try (SlabStore store = open()) {
            Claim claim = claim(store, "a", "greedy", 1);
            assertThat(grantAll(store, claim, 1)).isEqualTo(3);
            claim.close();
            assertThat(grantAll(store, claim(store, "b", "greedy", 1), 1)).isZero();
            clock.addAndGet(TimeUnit.SECONDS.toNanos(61));
            store.expireLeases();
            assertThat(store.statistics().owners()).containsExactly(new OwnerStatistics("greedy", 1, 0, 3));
            assertThat(grantAll(store, claim(store, "b", "greedy", 1), 1)).isEqualTo(3);
        }
    }

    @Test
    void oneOwnersExportsLeaveRoomForThoseOfOthers() throws IOException {
        try (SlabStore store = SlabStore.open(Settings.slabs(SLABS, clock).withMaxExports(32))) {
            for (int i = 0; i < 30; i++) {
                Claim _ = claim(store, "export " + i, "greedy", 1);
            }
            assertThat(tryClaim(store, "one more", "greedy", 1).status()).isEqualTo(Status.NO_SPACE);
            assertThat(tryClaim(store, "theirs", "other", 2).status()).isEqualTo(Status.OK);
            // Its own that holds nothing makes room for its next, and not another owner's.
            Claim idle = claim(store, "export 3", "greedy", 1);
            idle.close();
        }
    }

    @Test
    void oneOwnersNotesLeaveRoomForThoseOfOthers() throws IOException {
        try (SlabStore store = open(OwnerLimits.NONE)) {
            int refused = 0;
            for (int i = 0; i < 128; i++) {
                refused += store.hello(withNote("export " + i), Identity.ANONYMOUS, "greedy", () -> {})
                                        .status()
                                == Status.OK
                        ? 0
                        : 1;
            }
            assertThat(refused).isEqualTo(8);
            assertThat(store.hello(withNote("theirs"), Identity.ANONYMOUS, "other", () -> {})
                            .status())
                    .isEqualTo(Status.OK);
            Claim claim = claim(store, "theirs 2", "other", 2);
            assertThat(store.note(claim, 1, ByteBuffer.allocate(Protocol.MAX_NOTE)))
                    .isEqualTo(Status.OK);
        }
    }

    private static Hello withNote(String export) {
        return Hello.claim(
                export,
                0,
                false,
                0,
                HelloReply.NONE,
                0,
                Hellos.CONTENT,
                Hellos.instance(1),
                1,
                Hellos.HOST,
                "server",
                ByteBuffer.allocate(Protocol.MAX_NOTE));
    }
}
