package io.leapnbd.bypass.link;

import static org.assertj.core.api.Assertions.assertThat;

import io.leapnbd.bypass.link.LinkRequest.Outcome;
import io.leapnbd.donor.protocol.Operation;
import io.leapnbd.donor.protocol.ReplyHeader;
import io.leapnbd.donor.protocol.RequestHeader;
import io.leapnbd.donor.protocol.Status;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import java.util.List;
import java.util.UUID;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;

/** What becomes of requests when connections break, donors change or fall silent, and hellos are refused. */
class RdmaLinkFailuresTest extends RdmaLinkFixture {

    @Test
    void afterABreakEverythingWithoutAReplyIsSentAgainFromItsStart() {
        connect();
        learnKey(3);
        script.silent = true;
        LinkRequest write = post(Operation.WRITE, 4, 1 << 20);
        LinkRequest read = post(Operation.READ, 3, PAGE);
        LinkRequest trim = post(Operation.TRIM, 5, PAGE);
        assertThat(script.wire().reads).hasSize(1);
        ScriptedWire first = script.wire();
        first.breaks();
        script.silent = false;
        until(() -> script.wires.size() == 2 && link.ready());
        assertThat(first.closed).isTrue();
        ends(write, Outcome.OK);
        ends(read, Outcome.OK);
        ends(trim, Outcome.OK);
        List<ByteBuf> pieces = script.wire().sent.stream()
                .filter(message -> RequestHeader.operation(message, 0) == Operation.WRITE)
                .toList();
        assertThat(pieces).hasSize(16);
        assertThat(RequestHeader.offset(pieces.getFirst(), 0)).isZero();
        // A key is worth nothing on another connection.
        assertThat(script.wire().operations()).contains(Operation.EXPOSE, Operation.READ, Operation.TRIM);
        assertThat(donor.reconnects()).isOne();
    }

    @Test
    void aWorkRequestThatFailsOrCannotBePostedBreaksTheConnection() {
        connect();
        learnKey(3);
        script.wire().fails();
        until(() -> script.wires.size() == 2 && link.ready());
        learnKey(3);
        script.wire().refuses = true;
        LinkRequest read = post(Operation.READ, 3, PAGE);
        LinkRequest grant = post(Operation.GRANT, 3, 0);
        ends(read, Outcome.OK);
        ends(grant, Outcome.OK);
        assertThat(script.wires).hasSize(3);
    }

    @Test
    void aMessageThatCannotBePostedIsSentOnTheNextConnection() {
        connect();
        script.wire().refuses = true;
        ends(post(Operation.GRANT, 3, 0), Outcome.OK);
        assertThat(script.wires).hasSize(2);
    }

    @Test
    void aRequestWithoutAReplyInTimeEndsAndTheConnectionWithIt() {
        connect();
        learnKey(3);
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
        assertThat(script.wires).hasSize(2);
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
        script.wire().breaks();
        ends(waits, Outcome.LOST);
        assertThat(told).containsExactly("restarted");
        assertThat(script.wire().operations()).containsOnly(Operation.HELLO);
    }

    /** A12: a machine that was set back to a snapshot has forgotten writes; what it has left is no answer to anything. */
    @Test
    void aDonorThatHasForgottenWhatItAcknowledgedHasLostItAll() {
        connect();
        LinkRequest write = request(Operation.WRITE, 3, PAGE);
        write.version = 7;
        link.post(write);
        ends(write, Outcome.OK);
        script.wire().breaks();
        until(() -> told.contains("restarted"));
        until(() -> script.wires.size() >= 3 && link.ready());
        assertThat(script.wire().operations()).containsOnly(Operation.HELLO);
    }

    /** A12: what is still there after a break is not lost. */
    @Test
    void aDonorThatRemembersWhatItAcknowledgedIsJoined() {
        connect();
        LinkRequest write = request(Operation.WRITE, 3, PAGE);
        write.version = 7;
        link.post(write);
        ends(write, Outcome.OK);
        script.highest = 7;
        script.wire().breaks();
        until(() -> script.wires.size() == 2 && link.ready());
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
        assertThat(script.wire().operations()).containsExactly(Operation.PING);
        assertThat(donor.provenNanos() - later).isLessThanOrEqualTo(0);
    }

    /** G8: so does a read that the device has done, without the donor's processors. */
    @Test
    void aReadByTheDeviceProvesOwnership() {
        connect();
        learnKey(3);
        link.tick(System.nanoTime() + TimeUnit.SECONDS.toNanos(11));
        until(() -> true);
        long before = donor.provenNanos();
        LinkRequest read = request(Operation.READ, 3, PAGE);
        read.startNanos = before + TimeUnit.SECONDS.toNanos(1);
        link.post(read);
        ends(read, Outcome.OK);
        assertThat(donor.deviceReads()).isPositive();
        assertThat(donor.provenNanos()).isEqualTo(read.startNanos);
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

    @Test
    void aReplyThatNobodyWaitsForBreaksTheConnection() {
        connect();
        LinkRequest ping = post(Operation.PING, 0, 0);
        ends(ping, Outcome.OK);
        ByteBuf again = script.answer(script.wire().sent.getLast());
        script.wire().arrives(again);
        until(() -> script.wires.size() == 2 && link.ready());
        ByteBuf shorter = Unpooled.buffer().writeZero(ReplyHeader.LENGTH - 1);
        script.wire().arrives(shorter);
        until(() -> script.wires.size() == 3 && link.ready());
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
        assertThat(script.wires).hasSize(1);
        until(() -> script.wire().closed);
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
        until(() -> script.wires.size() >= 3);
        assertThat(link.ready()).isFalse();
        assertThat(script.wires.getFirst().closed).isTrue();
        script.helloStatus = Status.OK;
        until(link::ready);
    }

    @Test
    void aConnectionThatDoesNotComeAboutIsGivenUp() {
        link.connect();
        ScriptedWire first = script.wire();
        link.tick(System.nanoTime() + TimeUnit.SECONDS.toNanos(29));
        assertThat(first.closed).isFalse();
        link.tick(System.nanoTime() + TimeUnit.SECONDS.toNanos(30));
        assertThat(first.closed).isTrue();
        until(link::ready);
        assertThat(script.wires).hasSize(2);
    }

    @Test
    void aSilentLinkSaysNowAndThenThatItIsThere() {
        connect();
        long now = System.nanoTime() + TimeUnit.SECONDS.toNanos(11);
        link.tick(now);
        assertThat(script.wire().operations()).containsExactly(Operation.PING);
    }

    @Test
    void whatIsClosedEndsWhatItHas() {
        connect();
        learnKey(3);
        script.silent = true;
        LinkRequest read = post(Operation.READ, 3, PAGE);
        LinkRequest write = post(Operation.WRITE, 3, 1 << 20);
        link.close();
        ends(read, Outcome.UNREACHABLE);
        ends(write, Outcome.UNREACHABLE);
        assertThat(script.wire().closed).isTrue();
        assertThat(donor.up()).isFalse();
    }
}
