package io.leapnbd.bypass.link;

import static org.assertj.core.api.Assertions.assertThat;

import io.leapnbd.bypass.link.LinkRequest.Outcome;
import io.leapnbd.donor.protocol.Operation;
import io.leapnbd.donor.protocol.ProtocolException;
import io.leapnbd.donor.protocol.ReplyHeader;
import io.leapnbd.donor.protocol.RequestHeader;
import io.leapnbd.donor.protocol.SlabCopies;
import io.leapnbd.donor.protocol.SlabName;
import io.leapnbd.donor.protocol.Status;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import java.util.List;
import java.util.UUID;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;

/** The life of a link, which is the same over every transport: what becomes of requests when connections break, donors change or fall silent, and hellos are refused. */
abstract class LinkLifeTests extends LinkFixture {

    @Override
    void turn() {
        link.flush();
    }

    /** Once everything that was sent has arrived. */
    private void untilArrived(int operations) {
        until(() -> script.connection().operations().size() == operations);
    }

    @Test
    void afterABreakEverythingWithoutAReplyIsSentAgain() {
        connect();
        script.silent = true;
        LinkRequest write = post(Operation.WRITE, 4, PAGE);
        LinkRequest read = post(Operation.READ, 3, PAGE);
        LinkRequest trim = post(Operation.TRIM, 5, PAGE);
        until(() ->
                script.connection().operations().containsAll(List.of(Operation.WRITE, Operation.READ, Operation.TRIM)));
        ScriptedConnection first = script.connection();
        first.breaks();
        script.silent = false;
        until(() -> script.connections.size() == 2 && link.ready());
        until(first::closed);
        ends(write, Outcome.OK);
        ends(read, Outcome.OK);
        ends(trim, Outcome.OK);
        assertThat(script.connection().operations()).contains(Operation.WRITE, Operation.READ, Operation.TRIM);
        assertThat(donor.reconnects()).isOne();
    }

    /** A14: a process that was stopped gives its connection up, and has its deadlines moved. */
    @Test
    void afterAStandstillTheConnectionIsGivenUpAndRequestsHaveTheirTimeLeft() {
        connect();
        script.silent = true;
        LinkRequest write = post(Operation.WRITE, 4, PAGE);
        untilArrived(1);
        long before = write.deadlineNanos;
        link.stoodStill(2 * MINUTE, false);
        assertThat(write.deadlineNanos).isEqualTo(before + 2 * MINUTE);
        link.tick(before);
        assertThat(done).isEmpty();
        script.silent = false;
        ends(write, Outcome.OK);
        assertThat(script.connections).hasSize(2);
        assertThat(donor.timeouts()).isZero();
    }

    /** A loop that others kept from the processors, as compilers and loops of a realtime class can for seconds, is slower for it and no more. */
    @Test
    void afterAStandstillOfSecondsTheConnectionGoesOn() {
        connect();
        script.silent = true;
        LinkRequest write = post(Operation.WRITE, 4, PAGE);
        untilArrived(1);
        long before = write.deadlineNanos;
        link.stoodStill(5 * SECOND, false);
        link.tick(before);
        assertThat(done).isEmpty();
        script.silent = false;
        script.connection().answerAll();
        ends(write, Outcome.OK);
        assertThat(write.deadlineNanos).isEqualTo(before + 5 * SECOND);
        assertThat(link.ready()).isTrue();
        assertThat(script.connections).hasSize(1);
        assertThat(donor.reconnects()).isZero();
    }

    /** The clock that deadlines are counted by stands still in a suspend, however long it was. */
    @Test
    void afterASuspendTheConnectionIsGivenUpHoweverShortItLooks() {
        connect();
        link.stoodStill(0, true);
        until(() -> script.connections.size() == 2 && link.ready());
    }

    /** What is for a process that is gone does not wait for a window, or for messages: it cannot be sent, ever. */
    @Test
    void aRequestForAProcessThatIsGoneIsLostWhateverIsUnderWay() {
        connect();
        script.silent = true;
        LinkRequest under = post(Operation.WRITE, 4, 12 << 16);
        LinkRequest gone = request(Operation.WRITE, 4, 8 << 16);
        gone.incarnation = new UUID(6, 6);
        link.post(gone);
        assertThat(done).containsExactly(gone);
        assertThat(gone.outcome).isEqualTo(Outcome.LOST);
        script.silent = false;
        until(() -> {
            script.connection().answerAll();
            return done.contains(under);
        });
    }

    /** A request that another loop has made for the donor's new process waits for a connection to that. */
    @Test
    void aRequestForTheDonorsNewProcessWaitsForItAndEndsTheConnectionToTheOldOne() {
        connect();
        ScriptedConnection first = script.connection();
        script.incarnation = new UUID(8, 8);
        donor.stand(DonorStanding.claimed(script.incarnation, 1));
        LinkRequest read = request(Operation.READ, 3, PAGE);
        read.incarnation = script.incarnation;
        link.post(read);
        ends(read, Outcome.OK);
        assertThat(first.closed()).isTrue();
        assertThat(first.operations()).isEmpty();
        assertThat(script.connections).hasSize(2);
    }

    /** Being fenced off ends a link once, however many requests are answered so, and whatever else ends it meanwhile. */
    @Test
    void whatIsUnderWayWhenALinkIsFencedOffEndsFenced() {
        connect();
        script.silent = true;
        LinkRequest one = post(Operation.WRITE, 3, PAGE);
        LinkRequest other = post(Operation.WRITE, 3, PAGE);
        untilArrived(2);
        script.status = Status.FENCED;
        LinkRequest third = post(Operation.PING, 0, 0);
        untilArrived(3);
        script.connection().arrives(script.answer(script.connection().sent().getLast()));
        ends(third, Outcome.FENCED);
        link.close();
        ends(one, Outcome.FENCED);
        ends(other, Outcome.FENCED);
        assertThat(told).containsExactly("fenced");
        assertThat(donor.up()).isFalse();
        until(() -> script.connection().closed());
    }

    /** A link that waits for an answer does not ask whether the donor is there. */
    @Test
    void aLinkThatWaitsForAnAnswerDoesNotPing() {
        connect();
        script.silent = true;
        LinkRequest write = request(Operation.WRITE, 3, PAGE);
        write.deadlineNanos += MINUTE;
        link.post(write);
        link.tick(System.nanoTime() + TimeUnit.SECONDS.toNanos(11));
        untilArrived(1);
        until(() -> true);
        assertThat(script.connection().operations()).containsExactly(Operation.WRITE);
    }

    @Test
    void whatIsClosedEndsWhatItHasAndWhatComesLater() {
        connect();
        script.silent = true;
        LinkRequest read = post(Operation.READ, 3, PAGE);
        LinkRequest write = post(Operation.WRITE, 3, ScriptedDonor.SLAB_SIZE);
        LinkRequest waits = post(Operation.WRITE, 3, ScriptedDonor.SLAB_SIZE);
        link.close();
        ends(read, Outcome.UNREACHABLE);
        ends(write, Outcome.UNREACHABLE);
        ends(waits, Outcome.UNREACHABLE);
        ends(post(Operation.READ, 3, PAGE), Outcome.UNREACHABLE);
        until(() -> script.connection().closed());
        assertThat(donor.up()).isFalse();
        until(() -> true);
        assertThat(script.connections).hasSize(1);
    }

    @Test
    void aRequestWithoutAReplyInTimeEndsAndTheConnectionWithIt() {
        connect();
        link.tick(System.nanoTime());
        script.silent = true;
        LinkRequest read = post(Operation.READ, 3, PAGE);
        LinkRequest write = post(Operation.WRITE, 3, PAGE);
        write.deadlineNanos += MINUTE;
        // B3: it was sent with little time left, which says nothing of the link yet.
        read.deadlineNanos = System.nanoTime();
        link.tick(read.deadlineNanos);
        assertThat(donor.timeouts()).isZero();
        assertThat(done).doesNotContain(read);
        link.tick(read.deadlineNanos + TimeUnit.SECONDS.toNanos(2));
        assertThat(donor.timeouts()).isOne();
        ends(read, Outcome.UNREACHABLE);
        script.silent = false;
        ends(write, Outcome.OK);
        assertThat(script.connections).hasSize(2);
    }

    @Test
    void whatWaitsForAConnectionEndsAtItsDeadline() {
        LinkRequest read = request(Operation.READ, 3, PAGE);
        read.deadlineNanos = read.startNanos + 1_000;
        link.post(read);
        LinkRequest _ = post(Operation.WRITE, 3, PAGE);
        link.tick(read.deadlineNanos);
        assertThat(done).containsExactly(read);
        assertThat(read.outcome).isEqualTo(Outcome.UNREACHABLE);
    }

    @Test
    void aSlabOfAnEarlierDonorProcessIsLost() {
        connect();
        LinkRequest read = request(Operation.READ, 3, PAGE);
        read.incarnation = script.incarnation;
        link.post(read);
        ends(read, Outcome.OK);
        script.silent = true;
        LinkRequest waits = request(Operation.WRITE, 3, PAGE);
        waits.incarnation = script.incarnation;
        link.post(waits);
        script.incarnation = new UUID(8, 8);
        script.silent = false;
        script.connection().breaks();
        ends(waits, Outcome.LOST);
        assertThat(told).containsExactly("restarted");
        assertThat(script.connection().operations()).containsOnly(Operation.HELLO);
    }

    private void acknowledgesAWrite() {
        LinkRequest write = request(Operation.WRITE, 3, PAGE);
        write.version = 7;
        link.post(write);
        ends(write, Outcome.OK);
    }

    /** A12: a machine that was set back to a snapshot has forgotten writes; what it has left is no answer to anything. */
    @Test
    void aDonorThatHasForgottenWhatItAcknowledgedHasLostItAll() {
        connect();
        acknowledgesAWrite();
        script.connection().breaks();
        until(() -> told.contains("restarted"));
        until(() -> script.connections.size() >= 3 && link.ready());
        assertThat(script.connection().operations()).containsOnly(Operation.HELLO);
    }

    /** A12: what is still there after a break is not lost. */
    @Test
    void aDonorThatRemembersWhatItAcknowledgedIsJoined() {
        connect();
        acknowledgesAWrite();
        script.highest = 7;
        script.connection().breaks();
        until(() -> script.connections.size() == 2 && link.ready());
        assertThat(told).isEmpty();
    }

    /** G8: what a donor answers to a link's own pings proves that the export is this server's. */
    @Test
    void anIdleLinksPingsProveOwnership() {
        connect();
        long before = donor.provenNanos();
        long later = System.nanoTime() + TimeUnit.MILLISECONDS.toNanos(600);
        link.tick(later);
        until(() -> donor.provenNanos() - before > 0);
        assertThat(script.connection().operations()).containsExactly(Operation.PING);
        assertThat(donor.provenNanos() - later).isLessThanOrEqualTo(0);
    }

    /** G8: whatever a donor answers proves it, as of when it was asked. */
    @Test
    void everyAnswerRenewsTheLeaseFromWhenItWasAskedFor() {
        connect();
        // Proofs that follow soon upon another are not noted.
        long asked = System.nanoTime() + TimeUnit.MINUTES.toNanos(1);
        byte[] operations = {Operation.READ, Operation.WRITE, Operation.TRIM, Operation.GRANT, Operation.FREE};
        for (byte operation : operations) {
            asked += TimeUnit.SECONDS.toNanos(1);
            link.tick(asked);
            LinkRequest request =
                    post(operation, 3, operation == Operation.READ || operation == Operation.WRITE ? PAGE : 0);
            ends(request, Outcome.OK);
            assertThat(donor.provenNanos()).as("operation %d", operation).isEqualTo(asked);
        }
    }

    /** G8: else a server that was replaced would go on. */
    @Test
    void whoSaysThatThereIsANewerServerProvesNothing() {
        connect();
        long before = donor.provenNanos();
        script.status = Status.FENCED;
        script.ownedByNewer = true;
        link.tick(System.nanoTime() + TimeUnit.MINUTES.toNanos(1));
        ends(post(Operation.WRITE, 3, PAGE), Outcome.FENCED);
        assertThat(donor.provenNanos()).isEqualTo(before);
    }

    /** B5: nobody waits for a donor that says it is of no use. */
    @Test
    void aDonorWithOtherSlabsIsDownAtOnce() {
        script.slabSize = 2 * ScriptedDonor.SLAB_SIZE;
        script.incarnation = new UUID(8, 8);
        LinkRequest ofTheOldOne = request(Operation.READ, 3, PAGE);
        ofTheOldOne.incarnation = new UUID(7, 7);
        link.post(ofTheOldOne);
        link.connect();
        until(() -> {
            link.tick(System.nanoTime());
            return done.contains(ofTheOldOne);
        });
        assertThat(ofTheOldOne.outcome).isEqualTo(Outcome.LOST);
        assertThat(told).containsExactly("restarted");
        LinkRequest grant = post(Operation.GRANT, 3, 0);
        assertThat(grant.outcome).isEqualTo(Outcome.UNREACHABLE);
        assertThat(done).contains(grant);
        // It is looked for all the same.
        script.slabSize = ScriptedDonor.SLAB_SIZE;
        until(link::ready);
        ends(post(Operation.GRANT, 3, 0), Outcome.OK);
    }

    private ByteBuf lastSent() {
        return script.connection().sent().getLast();
    }

    @Test
    void aPlacementGoesToTheDonorWithItsCopies() throws ProtocolException {
        connect();
        SlabCopies copies =
                SlabCopies.live(List.of(new SlabName(new UUID(1, 2), 17, 5), new SlabName(new UUID(3, 4), 6, 7)));
        LinkRequest place = request(Operation.PLACE, 17, copies.encodedLength());
        place.version = 12;
        script.memory.writerIndex(100);
        copies.encode(script.memory);
        place.bufferIndex = 100;
        link.post(place);
        ends(place, Outcome.OK);
        ByteBuf sent = lastSent();
        assertThat(RequestHeader.operation(sent, 0)).isEqualTo(Operation.PLACE);
        assertThat(RequestHeader.slab(sent, 0)).isEqualTo(17);
        assertThat(RequestHeader.version(sent, 0)).isEqualTo(12);
        assertThat(SlabCopies.decodePlace(sent.slice(RequestHeader.LENGTH, RequestHeader.payload(sent, 0))))
                .isEqualTo(copies);
    }

    /** The generation of a placement is none of a write. */
    @Test
    void aPlacementCountsForNoWriteThatWasAcknowledged() {
        connect();
        LinkRequest place = request(Operation.PLACE, 17, 18);
        place.version = 1L << 40;
        link.post(place);
        ends(place, Outcome.OK);
        script.connection().breaks();
        until(() -> script.connections.size() == 2 && link.ready());
        assertThat(told).isEmpty();
    }

    @Test
    void aGrantThatIsToBeFilledSaysSoAndTheNextOneDoesNot() {
        connect();
        LinkRequest grant = request(Operation.GRANT, 3, 0);
        grant.filling = true;
        grant.lost = new long[] {1};
        link.post(grant);
        ends(grant, Outcome.OK);
        assertThat(RequestHeader.flags(lastSent(), 0)).isEqualTo(RequestHeader.FILLING);
        assertThat(lastSent().getLongLE(RequestHeader.LENGTH)).isOne();
        grant.clear();
        assertThat(grant.filling).isFalse();
        ends(post(Operation.GRANT, 3, 0), Outcome.OK);
        assertThat(RequestHeader.flags(lastSent(), 0)).isZero();
    }

    /** Whoever says so has looked whether the export is still this server's. */
    @Test
    void aPlacementThatIsStaleIsThatRequestsAffairOnly() {
        connect();
        long before = donor.provenNanos();
        script.status = Status.STALE;
        LinkRequest place = request(Operation.PLACE, 17, 18);
        // Proofs that follow soon upon another are not noted.
        place.startNanos += TimeUnit.SECONDS.toNanos(1);
        link.post(place);
        ends(place, Outcome.STALE);
        ends(post(Operation.FREE, 17, 0), Outcome.STALE);
        ends(post(Operation.GRANT, 17, 0), Outcome.STALE);
        assertThat(donor.provenNanos() - before).isPositive();
        script.status = Status.OK;
        ends(post(Operation.READ, 17, PAGE), Outcome.OK);
        assertThat(script.connections).hasSize(1);
    }

    @Test
    void aReplyThatNobodyWaitsForBreaksTheConnection() {
        connect();
        LinkRequest ping = post(Operation.PING, 0, 0);
        ends(ping, Outcome.OK);
        ByteBuf again = script.answer(script.connection().sent().getLast());
        script.connection().arrives(again);
        until(() -> script.connections.size() == 2 && link.ready());
        // Its cookie is nobody's, and it has a payload that no reply of its kind has.
        ByteBuf strange = Unpooled.buffer().writeZero(ReplyHeader.LENGTH + 3);
        ReplyHeader.encode(strange, 0, Operation.PING, Status.OK, 77, 3, 5);
        script.connection().arrives(strange);
        until(() -> script.connections.size() == 3 && link.ready());
        LinkRequest last = post(Operation.GRANT, 1, 0);
        ends(last, Outcome.OK);
    }

    @Test
    void aDonorThatKnowsOfANewerServerEndsTheLink() {
        connect();
        script.status = Status.FENCED;
        LinkRequest write = post(Operation.WRITE, 3, PAGE);
        ends(write, Outcome.FENCED);
        assertThat(told).containsExactly("fenced");
        LinkRequest after = post(Operation.READ, 3, PAGE);
        assertThat(done).contains(after);
        assertThat(after.outcome).isEqualTo(Outcome.FENCED);
        assertThat(script.connections).hasSize(1);
        until(() -> script.connection().closed());
    }

    @Test
    void aHelloThatIsFencedOffEndsWhatWaits() {
        script.ownedByNewer = true;
        LinkRequest waits = post(Operation.READ, 3, PAGE);
        link.connect();
        ends(waits, Outcome.FENCED);
        assertThat(told).containsExactly("fenced");
        assertThat(link.ready()).isFalse();
    }

    @Test
    void aHelloThatIsRefusedIsSaidAgain() {
        script.helloStatus = Status.BAD_REQUEST;
        link.connect();
        until(() -> script.connections.size() >= 3);
        assertThat(link.ready()).isFalse();
        until(() -> script.connections.getFirst().closed());
        script.helloStatus = Status.OK;
        until(link::ready);
    }

    @Test
    void aConnectionThatDoesNotComeAboutIsGivenUp() {
        script.deaf = true;
        link.connect();
        until(() -> !script.connections.isEmpty() && !script.connection().sent().isEmpty());
        ScriptedConnection first = script.connection();
        link.tick(System.nanoTime() + TimeUnit.SECONDS.toNanos(20));
        until(() -> true);
        assertThat(first.closed()).isFalse();
        script.deaf = false;
        link.tick(System.nanoTime() + TimeUnit.SECONDS.toNanos(30));
        until(first::closed);
        until(link::ready);
        assertThat(script.connections).hasSize(2);
    }

    @Test
    void aSilentLinkSaysNowAndThenThatItIsThere() {
        connect();
        long now = System.nanoTime() + TimeUnit.SECONDS.toNanos(11);
        link.tick(now);
        until(() -> !script.connection().operations().isEmpty());
        assertThat(script.connection().operations()).containsExactly(Operation.PING);
    }
}
