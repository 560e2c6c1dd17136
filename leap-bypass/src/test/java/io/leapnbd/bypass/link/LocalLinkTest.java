package io.leapnbd.bypass.link;

import static org.assertj.core.api.Assertions.assertThat;

import io.leapnbd.bypass.link.LinkRequest.Outcome;
import io.leapnbd.donor.protocol.Hello;
import io.leapnbd.donor.protocol.HelloReply;
import io.leapnbd.donor.protocol.Operation;
import io.leapnbd.donor.protocol.SlabCopies;
import io.leapnbd.donor.protocol.SlabName;
import io.leapnbd.donor.protocol.Status;
import io.leapnbd.donor.store.Admission;
import io.leapnbd.donor.store.Claim;
import io.leapnbd.donor.store.SlabStore;
import io.leapnbd.donor.store.StoreSettings;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.List;
import java.util.Objects;
import java.util.UUID;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** The life of a link to a donor in this process, which is a real one. */
class LocalLinkTest extends LinkFixture {

    private SlabStore store;
    private Claim claim;

    @BeforeEach
    void claim() throws IOException {
        store = SlabStore.open(StoreSettings.ofMemory(4L * ScriptedDonor.SLAB_SIZE, ScriptedDonor.SLAB_SIZE)
                .withLock(false)
                .withReadySlabs(0));
        Admission observed = store.hello(settings.observe(0));
        HelloReply found = Objects.requireNonNull(observed.reply());
        Objects.requireNonNull(observed.claim()).close();
        Admission claimed = store.hello(settings.claim(0, false, found));
        claim = Objects.requireNonNull(claimed.claim());
        donor.stand(DonorStanding.claimed(
                store.incarnation(), Objects.requireNonNull(claimed.reply()).epoch()));
    }

    @AfterEach
    void close() {
        claim.close();
        store.close();
    }

    @Override
    LinkTransport transport() {
        return of -> new LocalSession(of, loop, store);
    }

    private LinkRequest grant() {
        LinkRequest grant = request(Operation.GRANT, 1, 0);
        grant.version = 1;
        link.post(grant);
        return grant;
    }

    private LinkRequest granted() {
        LinkRequest grant = grant();
        assertThat(done).contains(grant);
        assertThat(grant.outcome).isEqualTo(Outcome.OK);
        assertThat(grant.incarnation).isEqualTo(store.incarnation());
        return grant;
    }

    @Test
    void everyRequestIsDoneWhenItIsPosted() {
        link.connect();
        assertThat(link.ready()).isTrue();
        assertThat(donor.linksUp()).isOne();
        LinkRequest grant = granted();
        script.memory.setByte(PAGE - 1, 42);
        LinkRequest write = request(Operation.WRITE, grant.grantedHandle, PAGE);
        write.incarnation = store.incarnation();
        write.version = 2;
        link.post(write);
        assertThat(write.outcome).isEqualTo(Outcome.OK);
        script.memory.setZero(0, PAGE);
        LinkRequest read = post(Operation.READ, grant.grantedHandle, PAGE);
        assertThat(done).containsExactly(grant, write, read);
        assertThat(read.outcome).isEqualTo(Outcome.OK);
        assertThat(script.memory.getByte(PAGE - 1)).isEqualTo((byte) 42);
        assertThat(donor.freeSlabs()).isEqualTo(store.freeSlabs());
    }

    @Test
    void aSlabThatIsToBeFilledIsPlacedAndFreedAsOfItsGeneration() throws Exception {
        link.connect();
        LinkRequest grant = request(Operation.GRANT, 1, 0);
        grant.version = 1;
        grant.filling = true;
        link.post(grant);
        assertThat(grant.outcome).isEqualTo(Outcome.OK);
        assertThat(store.list(claim, 0).slabs().copies(0)).isEqualTo(SlabCopies.FILLING);

        SlabCopies both = SlabCopies.live(
                List.of(new SlabName(store.incarnation(), grant.grantedHandle, 1), new SlabName(new UUID(5, 6), 1, 1)));
        both.encode(script.memory.writerIndex(0));
        LinkRequest place = request(Operation.PLACE, grant.grantedHandle, both.encodedLength());
        place.version = 2;
        link.post(place);
        assertThat(place.outcome).isEqualTo(Outcome.OK);
        assertThat(store.list(claim, 0).slabs().copies(0)).isEqualTo(both);
        LinkRequest late = request(Operation.PLACE, grant.grantedHandle, both.encodedLength());
        late.version = 1;
        link.post(late);
        assertThat(late.outcome).isEqualTo(Outcome.STALE);
        LinkRequest none = request(Operation.PLACE, grant.grantedHandle, both.encodedLength() - 1);
        none.version = 3;
        link.post(none);
        assertThat(none.outcome).isEqualTo(Outcome.REFUSED);

        LinkRequest free = request(Operation.FREE, grant.grantedHandle, 0);
        free.version = 1;
        link.post(free);
        assertThat(free.outcome).isEqualTo(Outcome.STALE);
        free.version = 2;
        link.post(free);
        assertThat(free.outcome).isEqualTo(Outcome.OK);
        assertThat(store.list(claim, 0).slabs().size()).isZero();
    }

    @Test
    void whatWaitedForTheLinkIsDoneWhenItComes() {
        LinkRequest grant = grant();
        assertThat(done).isEmpty();
        link.connect();
        assertThat(done).containsExactly(grant);
        assertThat(grant.outcome).isEqualTo(Outcome.OK);
    }

    @Test
    void anIdleLinksPingsProveOwnership() {
        link.connect();
        long before = donor.provenNanos();
        link.tick(System.nanoTime() + TimeUnit.MILLISECONDS.toNanos(600));
        assertThat(donor.provenNanos() - before).isPositive();
    }

    @Test
    void afterAStandstillTheLinkGoesOn() {
        link.connect();
        link.stoodStill(MINUTE, true);
        assertThat(link.ready()).isTrue();
        LinkRequest _ = granted();
    }

    @Test
    void aSlabOfAnotherProcessIsLost() {
        link.connect();
        LinkRequest read = request(Operation.READ, 1, PAGE);
        read.incarnation = new UUID(6, 6);
        link.post(read);
        assertThat(read.outcome).isEqualTo(Outcome.LOST);
        assertThat(done).containsExactly(read);
    }

    /** Before the newer server is answered: what this one answers from memory must have ended by then. */
    @Test
    void aNewerClaimEndsTheLink() {
        link.connect();
        HelloReply found =
                Objects.requireNonNull(store.hello(settings.observe(0)).reply());
        Hello newer = Hello.claim(
                "swap0",
                0,
                false,
                found.epoch(),
                found.content(),
                found.noteVersion(),
                ScriptedDonor.CONTENT,
                new UUID(9, 9),
                2,
                new UUID(4, 4),
                "newer",
                ByteBuffer.allocate(0));
        assertThat(store.hello(newer).status()).isEqualTo(Status.OK);
        assertThat(told).contains("fenced");
        LinkRequest read = post(Operation.READ, 1, PAGE);
        assertThat(read.outcome).isEqualTo(Outcome.FENCED);
        until(() -> !donor.up());
        assertThat(post(Operation.READ, 1, PAGE).outcome).isEqualTo(Outcome.FENCED);
        assertThat(link.ready()).isFalse();
    }

    @Test
    void whatIsClosedEndsWhatComesLater() {
        link.connect();
        link.close();
        assertThat(post(Operation.READ, 1, PAGE).outcome).isEqualTo(Outcome.UNREACHABLE);
        assertThat(link.ready()).isFalse();
        assertThat(donor.up()).isFalse();
    }
}
