package io.leapnbd.bypass.link;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.leapnbd.bypass.link.LinkRequest.Outcome;
import io.leapnbd.donor.protocol.Operation;
import io.leapnbd.donor.protocol.RequestHeader;
import io.leapnbd.donor.protocol.Status;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import java.io.IOException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;

/** Which requests the device does by itself, which are messages, and which go first. */
class RdmaLinkTest extends RdmaLinkFixture {

    @Test
    void theFirstReadOfASlabIsAMessageAndTheNextOneTheDevices() {
        connect();
        learnKey(3);
        assertRead(3);
        assertThat(script.wire().operations()).containsExactlyInAnyOrder(Operation.READ, Operation.EXPOSE);

        script.memory.setZero(0, PAGE);
        LinkRequest second = request(Operation.READ, 3, PAGE);
        second.offset = 5 * PAGE;
        link.post(second);
        ends(second, Outcome.OK);
        assertRead(3);
        assertThat(script.wire().operations()).hasSize(2);
        assertThat(script.wire().reads)
                .containsExactly(new ScriptedWire.Read(
                        script.wire().reads.getFirst().slot(),
                        script.memory.memoryAddress(),
                        77,
                        PAGE,
                        ScriptedDonor.address(3) + 5 * PAGE,
                        9));
        assertThat(donor.deviceReads()).isOne();
        assertThat(donor.askedReads()).isOne();
    }

    @Test
    void aReadDuringWhichAWriteBeganIsNotCountedButAskedFor() {
        connect();
        learnKey(3);
        script.silent = true;
        LinkRequest read = post(Operation.READ, 3, PAGE);
        assertThat(script.wire().reads).hasSize(1);
        stamp++;
        script.silent = false;
        script.wire().answerAll();
        ends(read, Outcome.OK);
        assertThat(script.wire().operations()).endsWith(Operation.READ).hasSize(3);
        assertThat(donor.disturbedReads()).isOne();
        assertThat(donor.deviceReads()).isZero();
    }

    @Test
    void whileAWriteIsUnderWayTheDeviceReadsNothing() {
        connect();
        learnKey(3);
        stamp = WriteWatch.BUSY;
        ends(post(Operation.READ, 3, PAGE), Outcome.OK);
        assertThat(script.wire().reads).isEmpty();
        assertThat(donor.askedReads()).isEqualTo(2);
    }

    @Test
    void intoMemoryThatIsNotRegisteredTheDeviceReadsNothing() {
        connect();
        learnKey(3);
        LinkRequest read = request(Operation.READ, 3, PAGE);
        ByteBuf elsewhere = Unpooled.directBuffer(PAGE, PAGE);
        read.buffer = elsewhere;
        link.post(read);
        ends(read, Outcome.OK);
        assertThat(script.wire().reads).isEmpty();
        assertThat(elsewhere.getByte(PAGE - 1)).isEqualTo((byte) 3);
        elsewhere.release();
    }

    @Test
    void aSlabOfAnotherSizeThanThoseOfTheDeviceIsNotReadByIt() {
        script.exposedLength = ScriptedDonor.SLAB_SIZE / 2;
        connect();
        learnKey(3);
        ends(post(Operation.READ, 3, PAGE), Outcome.OK);
        assertThat(script.wire().reads).isEmpty();
    }

    @Test
    void aLargeWriteGoesInPiecesThatLeaveMessagesForDemands() {
        connect();
        script.silent = true;
        for (int i = 0; i < 16; i++) {
            byte[] piece = new byte[1 << 16];
            Arrays.fill(piece, (byte) i);
            script.memory.setBytes(i << 16, piece);
        }
        LinkRequest write = post(Operation.WRITE, 3, ScriptedDonor.SLAB_SIZE);
        until(() -> true);
        assertThat(script.wire().operations()).hasSize(12).containsOnly(Operation.WRITE);
        LinkRequest grant = post(Operation.GRANT, 2, 0);
        assertThat(script.wire().operations()).hasSize(13).endsWith(Operation.GRANT);

        script.silent = false;
        script.wire().answerAll();
        ends(grant, Outcome.OK);
        assertThat(grant.grantedHandle).isEqualTo(42);
        assertThat(grant.incarnation).isEqualTo(script.incarnation);
        ends(write, Outcome.OK);
        List<ByteBuf> pieces = script.wire().sent.stream()
                .filter(message -> RequestHeader.operation(message, 0) == Operation.WRITE)
                .toList();
        assertThat(pieces).hasSize(16);
        for (int i = 0; i < 16; i++) {
            assertThat(RequestHeader.offset(pieces.get(i), 0)).isEqualTo(i << 16);
            assertThat(RequestHeader.payload(pieces.get(i), 0)).isEqualTo(1 << 16);
            assertThat(pieces.get(i).getByte(RequestHeader.LENGTH)).isEqualTo((byte) i);
            assertThat(pieces.get(i).getByte(RequestHeader.LENGTH + (1 << 16) - 1))
                    .isEqualTo((byte) i);
        }
    }

    @Test
    void backgroundReadsHaveHalfOfTheSlotsAndDemandsTheRest() {
        script.readSlots = 4;
        connect();
        learnKey(3);
        script.silent = true;
        List<LinkRequest> all = new ArrayList<>();
        for (int i = 0; i < 5; i++) {
            all.add(background(3));
        }
        assertThat(script.wire().reads).hasSize(2);
        all.add(post(Operation.READ, 3, PAGE));
        all.add(post(Operation.READ, 3, PAGE));
        all.add(post(Operation.READ, 3, PAGE));
        assertThat(script.wire().reads).hasSize(4);
        script.silent = false;
        script.wire().answerAll();
        for (LinkRequest one : all) {
            ends(one, Outcome.OK);
        }
        assertThat(script.wire().reads).hasSize(8);
    }

    @Test
    void aPromotedReadGoesAheadOfThoseThatNobodyWaitsFor() {
        script.readSlots = 6;
        connect();
        learnKey(3);
        script.silent = true;
        LinkRequest underWay = background(3);
        LinkRequest _ = background(3);
        LinkRequest _ = background(3);
        LinkRequest waits = background(3);
        LinkRequest last = background(3);
        link.promote(last);
        assertThat(script.wire().reads).hasSize(4);
        assertThat(last.background).isFalse();
        // What the device already reads gives its place among the background reads up.
        link.promote(underWay);
        script.silent = false;
        LinkRequest _ = post(Operation.PING, 0, 0);
        until(() -> script.wire().reads.size() == 5);
        assertThat(done).doesNotContain(waits);
        script.wire().answerAll();
        ends(waits, Outcome.OK);
        ends(last, Outcome.OK);
    }

    @Test
    void aRefusalIsThatRequestsAffairOnly() {
        connect();
        script.status = Status.NOT_OWNER;
        LinkRequest write = post(Operation.WRITE, 3, 1 << 20);
        ends(write, Outcome.LOST);
        script.status = Status.OK;
        ends(post(Operation.WRITE, 3, PAGE), Outcome.OK);
        assertThat(script.wires).hasSize(1);
    }

    /** A name server that does not answer takes seconds, in which nobody on the loop would be served. */
    @Test
    void aDonorsNameIsNotLookedUpOnTheLoop() {
        link = link(transport("localhost", false));
        link.connect();
        assertThat(script.wires).isEmpty();
        until(() -> link.ready());
        assertThat(script.wires).hasSize(1);
    }

    @Test
    void anAddressThatRdmaCannotReachIsRefusedInASentence() {
        assertThatThrownBy(() -> new DonorAddress(DonorAddress.Transport.RDMA, "::1", 7471).resolveAll())
                .isInstanceOf(IOException.class)
                .hasMessageContaining("is not an IPv4 address")
                .hasMessageContaining("use TCP");
    }

    private LinkRequest mayBeCalledOff(int length) {
        LinkRequest read = request(Operation.READ, 3, length);
        read.calledOffAnyTime = true;
        link.post(read);
        return read;
    }

    @Test
    void aReadThatMayBeCalledOffLandsElsewhereAndIsCopied() {
        connect();
        learnKey(3);
        script.memory.setZero(0, PAGE);
        LinkRequest read = mayBeCalledOff(PAGE);
        ends(read, Outcome.OK);
        assertRead(3);
        assertThat(script.wire().reads.getLast().to())
                .isGreaterThanOrEqualTo(script.memory.memoryAddress() + (1 << 20));
        assertThat(donor.deviceReads()).isOne();
        assertThat(landing.allFree()).isTrue();
    }

    @Test
    void whatTheDeviceReadsAfterItsBufferWasExchangedDoesNotTouchTheFormerOne() {
        connect();
        learnKey(3);
        script.memory.setZero(0, 2 * PAGE);
        script.silent = true;
        LinkRequest read = mayBeCalledOff(PAGE);
        assertThat(script.wire().reads).hasSize(1);
        assertThat(link.onlyThisLoopWrites(read)).isTrue();
        read.bufferIndex = PAGE;
        script.wire().answerAll();
        ends(read, Outcome.OK);
        for (int i = 0; i < PAGE; i++) {
            assertThat(script.memory.getByte(i)).isZero();
        }
        assertThat(script.memory.getByte(PAGE)).isEqualTo((byte) 3);
    }

    @Test
    void aReadThatTheDeviceDoesIntoItsBufferCannotBeCalledOff() {
        connect();
        learnKey(3);
        script.silent = true;
        LinkRequest direct = post(Operation.READ, 3, PAGE);
        assertThat(link.onlyThisLoopWrites(direct)).isFalse();
        LinkRequest longer = mayBeCalledOff(LandingFrames.SIZE + PAGE);
        assertThat(link.onlyThisLoopWrites(longer)).isFalse();
        stamp = WriteWatch.BUSY;
        LinkRequest message = mayBeCalledOff(PAGE);
        assertThat(link.onlyThisLoopWrites(message)).isTrue();
    }

    /** Nothing that the device has half done reaches a buffer, and no frame is lost. */
    @Test
    void afterABreakFramesAreFreeAndReadsAreDoneAgain() {
        connect();
        learnKey(3);
        script.memory.setZero(0, PAGE);
        script.silent = true;
        LinkRequest read = mayBeCalledOff(PAGE);
        assertThat(landing.allFree()).isFalse();
        script.memory.setByte(1 << 20, 0x55);
        script.wire().breaks();
        until(() -> script.wires.size() == 2 && link.ready());
        assertThat(script.memory.getByte(0)).isZero();
        script.silent = false;
        script.wire().answerAll();
        ends(read, Outcome.OK);
        assertRead(3);
        assertThat(landing.allFree()).isTrue();
    }

    @Test
    void withoutAFreeFrameADeviceReadsDirectly() {
        script.readSlots = 80;
        connect();
        learnKey(3);
        script.silent = true;
        for (int i = 0; i < 64; i++) {
            assertThat(link.onlyThisLoopWrites(mayBeCalledOff(PAGE))).isTrue();
        }
        assertThat(link.onlyThisLoopWrites(mayBeCalledOff(PAGE))).isFalse();
        script.silent = false;
        script.wire().answerAll();
        until(() -> done.size() >= 65);
        assertThat(landing.allFree()).isTrue();
    }

    @Test
    void whatPollsIsNotWoken() {
        link = link(transport(true));
        connect();
        learnKey(3);
        ends(post(Operation.READ, 3, PAGE), Outcome.OK);
        assertThat(donor.deviceReads()).isOne();
        assertThat(script.wire().armed).isFalse();
    }
}
