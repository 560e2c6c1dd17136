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
        script.silent = true;
        LinkRequest read = post(Operation.READ, 3, PAGE);
        LinkRequest write = post(Operation.WRITE, 3, PAGE);
        write.deadlineNanos += MINUTE;
        link.tick(read.deadlineNanos - 1);
        assertThat(donor.timeouts()).isZero();
        read.deadlineNanos = System.nanoTime();
        link.tick(read.deadlineNanos);
        assertThat(donor.timeouts()).isOne();
        ends(read, Outcome.UNREACHABLE);
        script.silent = false;
        ends(write, Outcome.OK);
        assertThat(script.wires).hasSize(2);
    }

    @Test
    void whatWaitsForAConnectionEndsAtItsDeadline() {
        LinkRequest read = post(Operation.READ, 3, PAGE);
        LinkRequest later = post(Operation.WRITE, 3, PAGE);
        later.deadlineNanos++;
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
