package io.leapnbd.bypass.link;

import static org.assertj.core.api.Assertions.assertThat;

import io.leapnbd.bypass.link.LinkRequest.Outcome;
import io.leapnbd.donor.protocol.Operation;
import io.leapnbd.donor.protocol.ReplyHeader;
import io.leapnbd.donor.protocol.RequestHeader;
import io.leapnbd.donor.protocol.Status;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.netty.channel.ManualIoEventLoop;
import io.netty.channel.epoll.EpollIoHandler;
import io.netty.util.concurrent.Future;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.UUID;
import java.util.concurrent.TimeUnit;
import java.util.function.BooleanSupplier;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** The link on an event loop that the test itself runs, against a donor that is not there. */
class RdmaLinkTest {

    private static final int PAGE = 4096;
    private static final long MINUTE = TimeUnit.MINUTES.toNanos(1);

    private final ManualIoEventLoop loop = new ManualIoEventLoop(Thread.currentThread(), EpollIoHandler.newFactory());
    private final ScriptedDonor script = new ScriptedDonor();
    private final List<String> told = new ArrayList<>();
    private final Donor donor = new Donor("rdma://test", new Donor.Listener() {
        @Override
        public void donorRestarted(Donor d, UUID gone, UUID found) {
            told.add("restarted");
        }

        @Override
        public void fenced(Donor d) {
            told.add("fenced");
        }
    });

    /** What the device's writes are said to be. */
    private long stamp = 1;

    private final WriteWatch watch = new WriteWatch() {
        @Override
        public long stamp(long offset, int length) {
            return stamp;
        }

        @Override
        public boolean undisturbed(long offset, int length, long taken) {
            return stamp == taken;
        }
    };

    private final List<LinkRequest> done = new ArrayList<>();
    private RdmaLink link = link(false);

    private RdmaLink link(boolean busyPoll) {
        LinkSettings settings = new LinkSettings(
                "swap0", 1, new UUID(1, 1), new UUID(2, 2), ScriptedDonor.SLAB_SIZE, Duration.ofSeconds(30), 1 << 20);
        return new RdmaLink(loop, 0, donor, script, settings, Duration.ofSeconds(30), MINUTE, watch, busyPoll);
    }

    @AfterEach
    void end() {
        link.close();
        Future<?> _ = loop.shutdownGracefully(0, 0, TimeUnit.NANOSECONDS);
        until(loop::isTerminated);
        script.memory.release();
    }

    private void until(BooleanSupplier condition) {
        long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(30);
        do {
            int _ = loop.run(TimeUnit.MILLISECONDS.toNanos(1), TimeUnit.MILLISECONDS.toNanos(5));
            assertThat(System.nanoTime() - deadline).as("condition").isNegative();
        } while (!condition.getAsBoolean());
    }

    private void connect() {
        link.connect();
        until(link::ready);
    }

    private LinkRequest request(byte operation, int slab, int length) {
        LinkRequest request = new LinkRequest();
        request.operation = operation;
        request.slab = slab;
        request.length = length;
        request.buffer = script.memory;
        request.startNanos = System.nanoTime();
        request.deadlineNanos = request.startNanos + MINUTE;
        request.completion = (ended, now) -> done.add(ended);
        return request;
    }

    private LinkRequest post(byte operation, int slab, int length) {
        LinkRequest request = request(operation, slab, length);
        link.post(request);
        return request;
    }

    private LinkRequest background(int slab) {
        LinkRequest request = request(Operation.READ, slab, PAGE);
        request.background = true;
        link.post(request);
        return request;
    }

    private void ends(LinkRequest request, Outcome how) {
        until(() -> done.contains(request));
        assertThat(request.outcome).isEqualTo(how);
        assertThat(done.stream().filter(one -> one == request)).hasSize(1);
    }

    /** Reads a page by message, so that the key is there afterwards. */
    private void learnKey(int slab) {
        ends(post(Operation.READ, slab, PAGE), Outcome.OK);
        until(() -> script.wire().operations().contains(Operation.EXPOSE));
        until(() -> true);
    }

    private void assertRead(int slab) {
        for (int i = 0; i < PAGE; i++) {
            assertThat(script.memory.getByte(i)).isEqualTo((byte) slab);
        }
    }

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
        assertThat(script.wire().operations()).isEmpty();
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
        script.helloStatus = Status.FENCED;
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

    @Test
    void whatPollsIsNotWoken() {
        link = link(true);
        connect();
        learnKey(3);
        ends(post(Operation.READ, 3, PAGE), Outcome.OK);
        assertThat(donor.deviceReads()).isOne();
        assertThat(script.wire().armed).isFalse();
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
}
