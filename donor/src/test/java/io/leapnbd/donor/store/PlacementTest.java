package io.leapnbd.donor.store;

import static io.leapnbd.donor.Pages.PAGE;
import static org.assertj.core.api.Assertions.assertThat;

import io.leapnbd.donor.Pages;
import io.leapnbd.donor.protocol.Protocol;
import io.leapnbd.donor.protocol.SlabCopies;
import io.leapnbd.donor.protocol.SlabList;
import io.leapnbd.donor.protocol.SlabName;
import io.leapnbd.donor.protocol.Status;
import io.leapnbd.donor.protocol.Version;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.UUID;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** What a donor keeps of the copies of a slab ({@code docs/replicas.md}). */
class PlacementTest {

    private static final SlabName OTHER = new SlabName(new UUID(5, 6), 9, generation(0));
    private static final SlabName THIRD = new SlabName(new UUID(-7, 8), 4, generation(1));
    private static final long[] NOTHING_LOST = {};

    /** Bytes of it in a list. */
    private static final int LONGEST_ENTRY = 20 + 4 * SlabName.LENGTH + 8;

    private SlabStore store;

    @BeforeEach
    void open() throws IOException {
        store = SlabStore.open(Settings.slabs(4));
    }

    @AfterEach
    void close() {
        store.close();
    }

    /** Of the first server. */
    private static long generation(long counter) {
        return Version.ofGrant(1, counter);
    }

    /** The name of a slab, as {@link Lent#grant} asks for it. */
    private SlabName name(Lent slab) {
        return new SlabName(store.incarnation(), slab.handle(), generation(0));
    }

    /** Some slab of another process. */
    private static SlabName stranger(long number) {
        return new SlabName(new UUID(number, 1), 1, 1);
    }

    private byte place(Lent slab, long counter, SlabCopies copies) {
        return store.place(slab.claim(), slab.handle(), generation(counter), copies);
    }

    /** A slab of the first grant. */
    private void assertListed(Claim claim, long generation, SlabCopies copies) {
        assertListed(claim, generation(0), generation, copies);
    }

    private void assertListed(Claim claim, long grantVersion, long generation, SlabCopies copies) {
        SlabList slabs = store.list(claim, 0).slabs();
        assertThat(slabs.size()).isEqualTo(1);
        assertThat(slabs.grantVersion(0)).isEqualTo(grantVersion);
        assertThat(slabs.generation(0)).isEqualTo(generation);
        assertThat(slabs.copies(0)).isEqualTo(copies);
    }

    @Test
    void aSlabThatIsGrantedIsLiveAndTheOnlyCopy() {
        Lent slab = Lent.grant(store, "a", 1, 7);
        assertListed(slab.claim(), generation(0), SlabCopies.ALONE);
    }

    @Test
    void aSlabThatIsGrantedToBeFilledIsFillingUntilItIsPlacedAsLive() {
        Claim claim = Lent.claim(store, "a", 1);
        Granted granted = store.grant(claim, 7, generation(0), SlabCopies.FILLING, NOTHING_LOST);
        assertThat(granted.status()).isEqualTo(Status.OK);
        assertListed(claim, generation(0), SlabCopies.FILLING);

        Lent slab = new Lent(store, claim, granted.handle(), 1);
        slab.write(0, PAGE, 1, 1);
        assertListed(claim, generation(0), SlabCopies.FILLING);
        SlabCopies both = SlabCopies.live(List.of(name(slab), OTHER));
        assertThat(place(slab, 1, both)).isEqualTo(Status.OK);
        assertListed(claim, generation(1), both);
        assertThat(slab.read(0, PAGE)).isEqualTo(Pages.array(1, PAGE));
    }

    @Test
    void aPlacementOfALowerGenerationIsRefusedAndChangesNothing() {
        Lent slab = Lent.grant(store, "a", 1, 7);
        SlabCopies both = SlabCopies.live(List.of(name(slab), OTHER));
        assertThat(place(slab, 5, both)).isEqualTo(Status.OK);

        assertThat(place(slab, 4, SlabCopies.live(List.of(name(slab), THIRD)))).isEqualTo(Status.STALE);
        assertThat(place(slab, 4, both)).isEqualTo(Status.STALE);
        assertListed(slab.claim(), generation(5), both);
    }

    /** Its answer may have been lost. */
    @Test
    void aPlacementThatIsSentAgainIsAnsweredAndAnotherOfItsGenerationIsRefused() {
        Lent slab = Lent.grant(store, "a", 1, 7);
        SlabCopies three = SlabCopies.live(List.of(THIRD, name(slab), OTHER));
        assertThat(place(slab, 5, three)).isEqualTo(Status.OK);

        assertThat(place(slab, 5, SlabCopies.live(List.of(name(slab), OTHER, THIRD))))
                .isEqualTo(Status.OK);
        assertThat(place(slab, 5, SlabCopies.live(List.of(name(slab), OTHER)))).isEqualTo(Status.BAD_REQUEST);
        assertThat(place(slab, 5, SlabCopies.filling(List.of(OTHER, THIRD)))).isEqualTo(Status.BAD_REQUEST);
        assertListed(slab.claim(), generation(5), three);
    }

    @Test
    void aSlabThatIsLeftAloneIsAsOneThatWasGrantedAlone() {
        Lent slab = Lent.grant(store, "a", 1, 7);
        assertThat(place(slab, 0, SlabCopies.live(List.of(name(slab))))).isEqualTo(Status.OK);
        assertThat(place(slab, 1, SlabCopies.live(List.of(name(slab), OTHER)))).isEqualTo(Status.OK);
        assertThat(place(slab, 2, SlabCopies.live(List.of(name(slab))))).isEqualTo(Status.OK);
        assertThat(place(slab, 2, SlabCopies.live(List.of(name(slab))))).isEqualTo(Status.OK);
        assertListed(slab.claim(), generation(2), SlabCopies.ALONE);
    }

    @Test
    void aPlacementThatContradictsItselfIsRefused() {
        Lent slab = Lent.grant(store, "a", 1, 7);
        assertThat(place(slab, 1, SlabCopies.live(List.of(OTHER)))).isEqualTo(Status.BAD_REQUEST);
        assertThat(place(slab, 1, SlabCopies.filling(List.of(name(slab), OTHER))))
                .isEqualTo(Status.BAD_REQUEST);
        SlabName otherHandle = new SlabName(store.incarnation(), slab.handle() + 4, generation(0));
        assertThat(place(slab, 1, SlabCopies.live(List.of(otherHandle, OTHER)))).isEqualTo(Status.BAD_REQUEST);
        assertThat(place(slab, 1, SlabCopies.ALONE)).isEqualTo(Status.BAD_REQUEST);
        assertThat(place(slab, 1, SlabCopies.FILLING)).isEqualTo(Status.BAD_REQUEST);
        assertThat(store.place(slab.claim(), slab.handle(), 0, SlabCopies.live(List.of(name(slab)))))
                .isEqualTo(Status.BAD_REQUEST);
        assertListed(slab.claim(), generation(0), SlabCopies.ALONE);
    }

    @Test
    void placementsAreCheckedInTheOrderOfTheProtocol() {
        SlabCopies bad = SlabCopies.live(List.of(OTHER));
        Lent slab = Lent.grant(store, "a", 1, 7);
        Lent another = Lent.grant(store, "b", 1, 7);
        int unknown = slab.handle() + 400;
        SlabName itsName = new SlabName(store.incarnation(), unknown, generation(0));
        assertThat(store.place(slab.claim(), unknown, generation(1), bad)).isEqualTo(Status.BAD_REQUEST);
        assertThat(store.place(slab.claim(), unknown, generation(1), SlabCopies.live(List.of(name(slab), OTHER))))
                .isEqualTo(Status.BAD_REQUEST);
        assertThat(store.place(slab.claim(), unknown, generation(1), SlabCopies.live(List.of(itsName, OTHER))))
                .isEqualTo(Status.NOT_OWNER);
        SlabCopies others = SlabCopies.live(List.of(name(another), OTHER));
        assertThat(store.place(slab.claim(), another.handle(), generation(1), others))
                .isEqualTo(Status.NOT_OWNER);
        Claim young = Lent.claim(store, "a", 2);
        assertThat(store.place(slab.claim(), unknown, generation(1), bad)).isEqualTo(Status.FENCED);
        assertThat(store.malformed(slab.claim())).isEqualTo(Status.FENCED);
        assertThat(store.malformed(young)).isEqualTo(Status.BAD_REQUEST);
        assertListed(young, generation(0), SlabCopies.ALONE);
    }

    /** Hole 2: a handle comes back after some thousand lendings. Then the slab that is meant is not held any more. */
    @Test
    void aPlacementOfASlabWhoseHandleIsUsedAgainFindsNoSlab() {
        Lent slab = Lent.grant(store, "a", 1, 7);
        SlabName older = new SlabName(store.incarnation(), slab.handle(), generation(0) - 1);
        assertThat(place(slab, 5, SlabCopies.live(List.of(older, OTHER)))).isEqualTo(Status.NOT_OWNER);
        assertThat(place(slab, 5, SlabCopies.live(List.of(older)))).isEqualTo(Status.NOT_OWNER);
        assertListed(slab.claim(), generation(0), SlabCopies.ALONE);
    }

    /** Hole 2b: its answer may be late, and placements may have come since. What it was granted stays its name. */
    @Test
    void aGrantThatIsSentAgainIsAnsweredWhateverPlacementsHaveComeSince() {
        Lent slab = Lent.grant(store, "a", 1, 7);
        slab.write(0, PAGE, 1, 1);
        SlabCopies both = SlabCopies.live(List.of(name(slab), OTHER));
        assertThat(place(slab, 5, both)).isEqualTo(Status.OK);

        assertThat(store.grant(slab.claim(), 7, generation(0))).isEqualTo(new Granted(Status.OK, slab.handle()));
        assertThat(store.grant(slab.claim(), 7, generation(0), SlabCopies.FILLING, NOTHING_LOST))
                .isEqualTo(new Granted(Status.BAD_REQUEST, 0));
        assertListed(slab.claim(), generation(5), both);
        assertThat(slab.read(0, PAGE)).isEqualTo(Pages.array(1, PAGE));
    }

    @Test
    void anyOtherGrantIsComparedWithTheGenerationOfThePlacement() {
        Lent slab = Lent.grant(store, "a", 1, 7);
        SlabCopies both = SlabCopies.live(List.of(name(slab), OTHER));
        place(slab, 5, both);

        assertThat(store.grant(slab.claim(), 7, generation(0) - 1)).isEqualTo(new Granted(Status.STALE, 0));
        for (long counter = 1; counter <= 5; counter++) {
            assertThat(store.grant(slab.claim(), 7, generation(counter))).isEqualTo(new Granted(Status.STALE, 0));
        }
        assertListed(slab.claim(), generation(5), both);
        Granted fresh = store.grant(slab.claim(), 7, generation(6), SlabCopies.FILLING, NOTHING_LOST);
        assertThat(fresh.status()).isEqualTo(Status.OK);
        assertThat(place(slab, 7, both)).isEqualTo(Status.NOT_OWNER);
        assertListed(slab.claim(), generation(6), generation(6), SlabCopies.FILLING);
    }

    @Test
    void aGrantThatIsSentAgainSaysTheSameOrIsRefused() {
        Claim claim = Lent.claim(store, "a", 1);
        Granted first = store.grant(claim, 7, generation(0), SlabCopies.FILLING, NOTHING_LOST);
        assertThat(store.grant(claim, 7, generation(0), SlabCopies.FILLING, NOTHING_LOST))
                .isEqualTo(first);
        assertThat(store.grant(claim, 7, generation(0))).isEqualTo(new Granted(Status.BAD_REQUEST, 0));
        assertThat(store.grant(claim, 8, generation(0), SlabCopies.live(List.of(OTHER)), NOTHING_LOST))
                .isEqualTo(new Granted(Status.BAD_REQUEST, 0));
        assertListed(claim, generation(0), SlabCopies.FILLING);
    }

    /** A request to give a slab back may be late: what was placed since stays. */
    @Test
    void aSlabIsNotFreedByOneWhoDoesNotKnowItsGeneration() {
        Lent slab = Lent.grant(store, "a", 1, 7);
        slab.write(0, PAGE, 1, 1);
        SlabCopies both = SlabCopies.live(List.of(name(slab), OTHER));
        place(slab, 5, both);

        assertThat(store.free(slab.claim(), slab.handle(), 0)).isEqualTo(Status.BAD_REQUEST);
        assertThat(store.free(slab.claim(), slab.handle(), generation(4))).isEqualTo(Status.STALE);
        assertListed(slab.claim(), generation(5), both);
        assertThat(slab.read(0, PAGE)).isEqualTo(Pages.array(1, PAGE));
        assertThat(store.free(slab.claim(), slab.handle(), generation(6))).isEqualTo(Status.OK);
        assertThat(store.free(slab.claim(), slab.handle(), generation(6))).isEqualTo(Status.NOT_OWNER);
        assertThat(store.list(slab.claim(), 0).slabs().size()).isZero();
    }

    @Test
    void aPlacementOutlivesItsServer() {
        Lent slab = Lent.grant(store, "a", 1, 7);
        SlabCopies both = SlabCopies.live(List.of(name(slab), OTHER));
        place(slab, 5, both);
        Claim young = Lent.claim(store, "a", 2);
        assertListed(young, generation(5), both);
        assertThat(store.place(young, slab.handle(), Version.ofGrant(2, 0), SlabCopies.live(List.of(name(slab)))))
                .isEqualTo(Status.OK);
        assertListed(young, Version.ofGrant(2, 0), SlabCopies.ALONE);
    }

    /** The old server goes on placing, on two threads, when the new one claims. */
    @Test
    void nothingIsPlacedAfterTheNewerClaimHasReturned() throws Exception {
        Lent slab = Lent.grant(store, "a", 1, 7);
        for (long epoch = 1; epoch <= 30; epoch++) {
            Lent mine = slab;
            long term = epoch;
            AtomicInteger counter = new AtomicInteger(1);
            Thread[] placers = new Thread[2];
            for (int i = 0; i < placers.length; i++) {
                placers[i] = Thread.ofPlatform().start(() -> {
                    byte status;
                    do {
                        long count = counter.getAndIncrement();
                        SlabCopies copies = SlabCopies.live(List.of(name(mine), stranger(count)));
                        status = store.place(mine.claim(), mine.handle(), Version.ofGrant(term, count), copies);
                        assertThat(status).isIn(Status.OK, Status.STALE, Status.FENCED);
                    } while (status != Status.FENCED && counter.get() < 1_000_000);
                });
            }
            while (counter.get() < 50) {
                Thread.onSpinWait();
            }
            Claim young = Lent.claim(store, "a", epoch + 1);
            SlabList seen = store.list(young, 0).slabs();
            for (Thread placer : placers) {
                placer.join();
            }
            assertListed(young, seen.generation(0), seen.copies(0));
            slab = mine.as(young, epoch + 1);
        }
    }

    @Test
    void aListNeverTellsTheNamesOfOnePlacementWithTheGenerationOfAnother() throws Exception {
        Lent slab = Lent.grant(store, "a", 1, 7);
        assertThat(place(slab, 1, SlabCopies.live(List.of(name(slab), stranger(1)))))
                .isEqualTo(Status.OK);
        AtomicBoolean stop = new AtomicBoolean();
        Thread placer = Thread.ofPlatform().start(() -> {
            for (long count = 2; !stop.get(); count++) {
                place(slab, count, SlabCopies.live(List.of(name(slab), stranger(count))));
            }
        });
        for (int i = 0; i < 2000; i++) {
            SlabList seen = store.list(slab.claim(), 0).slabs();
            long count = seen.generation(0) - generation(0);
            assertThat(seen.copies(0)).isEqualTo(SlabCopies.live(List.of(name(slab), stranger(count))));
        }
        stop.set(true);
        placer.join();
    }

    /** The longest entries, in the frames of either transport. */
    @Test
    void aListKeepsToItsFrameWhateverNamesItHas() throws IOException {
        int slabs = 2000;
        try (SlabStore many =
                SlabStore.open(Settings.slabs(slabs).withLock(false).withReadySlabs(0))) {
            Claim claim = Lent.claim(many, "a", 1);
            UUID itself = many.incarnation();
            for (int index = 0; index < slabs; index++) {
                int handle = many.grant(claim, index, generation(0)).handle();
                int names = index % 4;
                List<SlabName> all = new ArrayList<>(List.of(new SlabName(itself, handle, generation(0))));
                for (int i = 0; i < names; i++) {
                    all.add(new SlabName(new UUID(index, i), 1, 1));
                }
                assertThat(many.place(claim, handle, generation(1), SlabCopies.live(all)))
                        .isEqualTo(Status.OK);
            }
            int told = 0;
            boolean more = true;
            while (more) {
                SlabList part =
                        many.list(claim, told, Protocol.MAX_RDMA_PAYLOAD).slabs();
                assertThat(part.encodedLength()).isLessThanOrEqualTo(Protocol.MAX_RDMA_PAYLOAD);
                for (int i = 0; i < part.size(); i++) {
                    assertThat(part.index(i)).isEqualTo(told++);
                    assertThat(part.grantVersion(i)).isEqualTo(generation(0));
                    assertThat(part.copies(i).count()).isEqualTo(part.index(i) % 4 == 0 ? 0 : part.index(i) % 4 + 1);
                }
                more = part.more();
                assertThat(part.encodedLength()).isGreaterThan(more ? Protocol.MAX_RDMA_PAYLOAD - LONGEST_ENTRY : 0);
            }
            assertThat(told).isEqualTo(slabs);
            assertThat(many.list(claim, 0).slabs().size()).isEqualTo(slabs);
        }
    }
}
