package io.leapnbd.bypass.link;

import static org.assertj.core.api.Assertions.assertThat;

import io.leapnbd.bypass.link.LinkRequest.Outcome;
import io.leapnbd.donor.protocol.Operation;
import io.leapnbd.donor.protocol.ReplyHeader;
import io.leapnbd.donor.protocol.RequestHeader;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;

/** What is RDMA's own of breaks: reads by the device, work requests that fail, messages in pieces. */
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

    @Test
    void aMessageThatIsShorterThanAHeaderBreaksTheConnection() {
        connect();
        script.wire().arrives(Unpooled.buffer().writeZero(ReplyHeader.LENGTH - 1));
        until(() -> script.wires.size() == 2 && link.ready());
        ends(post(Operation.GRANT, 1, 0), Outcome.OK);
    }
}
