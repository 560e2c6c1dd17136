package io.leapnbd.bypass.link;

import static org.assertj.core.api.Assertions.assertThat;

import ch.qos.logback.classic.Logger;
import ch.qos.logback.classic.spi.ILoggingEvent;
import ch.qos.logback.core.read.ListAppender;
import io.leapnbd.bypass.link.LinkRequest.Outcome;
import io.leapnbd.donor.protocol.HelloReply;
import io.leapnbd.donor.protocol.Operation;
import io.leapnbd.donor.protocol.ReplyHeader;
import io.leapnbd.donor.protocol.Status;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.netty.buffer.UnpooledByteBufAllocator;
import java.net.InetSocketAddress;
import java.time.Duration;
import java.util.UUID;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import org.slf4j.LoggerFactory;

/** Over TCP. Here the end of a connection may show that the donor's process has ended; a take-over, which ends it too, must not look like that. */
class TcpLinkLifeTest extends LinkLifeTests {

    private final ScriptedListener listener = new ScriptedListener(script, loop);

    @BeforeEach
    void listen() {
        until(() -> listener.address() != null);
    }

    @Override
    LinkTransport transport() {
        InetSocketAddress address = listener.address();
        if (address == null) {
            throw new IllegalStateException("it does not listen yet");
        }
        DonorResolver resolver = new DonorResolver(new DonorAddress("127.0.0.1", address.getPort()), loop);
        return of -> new TcpSession(
                of, loop, resolver, Duration.ofSeconds(30), 1 << 20, UnpooledByteBufAllocator.DEFAULT, null);
    }

    private static ByteBuf lastWord(byte status) {
        ByteBuf word = Unpooled.buffer(ReplyHeader.LENGTH).writeZero(ReplyHeader.LENGTH);
        ReplyHeader.encode(word, 0, Operation.LAST_WORD, status, 0, 0, 5);
        return word;
    }

    /** Another process is there when the link connects again. */
    private void restarts() {
        script.incarnation = new UUID(8, 8);
        until(() -> link.ready() && script.connections.size() == 2);
    }

    @Test
    void aDonorThatSaysFencedEndsTheServerThoughItRestartsBeforeItIsAskedAgain() {
        connect();
        script.silent = true;
        LinkRequest write = post(Operation.WRITE, 3, PAGE);
        until(() -> script.connection().operations().size() == 1);
        script.connection().arrives(lastWord(Status.FENCED));
        script.connection().breaks();
        script.incarnation = new UUID(8, 8);
        ends(write, Outcome.FENCED);
        until(() -> script.connection().closed());
        assertThat(told).containsExactly("fenced");
        assertThat(script.connections).hasSize(1);
    }

    @Test
    void aDonorSaysFencedBehindTheRestOfAReplyOfWhichHalfHasCome() {
        connect();
        script.silent = true;
        LinkRequest read = post(Operation.READ, 3, PAGE);
        until(() -> script.connection().operations().size() == 1);
        ByteBuf reply = script.answer(script.connection().sent().getLast());
        script.connection().arrives(reply.readRetainedSlice(1000));
        for (int turns = 0; turns < 20; turns++) {
            until(() -> true);
        }
        assertThat(done).isEmpty();
        script.connection().arrives(reply);
        script.connection().arrives(lastWord(Status.FENCED));
        ends(read, Outcome.OK);
        until(() -> told.contains("fenced"));
    }

    /** As a read is that was asked of two donors, and that the other one has answered. */
    @Test
    void whatComesOfAReadAfterItsBufferWasExchangedDoesNotTouchTheFormerOne() {
        connect();
        script.silent = true;
        script.memory.setZero(0, 2 * PAGE);
        LinkRequest read = post(Operation.READ, 3, PAGE);
        until(() -> script.connection().operations().size() == 1);
        assertThat(link.onlyThisLoopWrites(read)).isTrue();
        ByteBuf reply = script.answer(script.connection().sent().getLast());
        script.connection().arrives(reply.readRetainedSlice(1000));
        until(() -> script.memory.getByte(0) == 3);
        for (int turns = 0; turns < 20; turns++) {
            until(() -> true);
        }
        read.bufferIndex = PAGE;
        script.memory.setZero(0, PAGE);
        script.connection().arrives(reply);
        ends(read, Outcome.OK);
        for (int i = 0; i < PAGE; i++) {
            assertThat(script.memory.getByte(i)).isZero();
        }
        assertThat(script.memory.getByte(2 * PAGE - 1)).isEqualTo((byte) 3);
    }

    @Test
    void aReadThatAnotherLoopsLinkHasIsNotWrittenByThisLoop() {
        connect();
        script.silent = true;
        LinkRequest read = post(Operation.READ, 3, PAGE);
        read.handedOver = true;
        assertThat(link.onlyThisLoopWrites(read)).isFalse();
        read.handedOver = false;
    }

    @Test
    void aDonorThatJustEndsWasThisServersUntilThen() {
        connect();
        script.connection().breaks();
        restarts();
        assertThat(told).containsExactly("restarted");
        assertThat(seen).containsExactly(true);
    }

    @Test
    void aDonorThatEndsInTheMiddleOfAReplyWasThisServersUntilThen() {
        connect();
        script.silent = true;
        LinkRequest read = post(Operation.READ, 3, PAGE);
        until(() -> script.connection().operations().size() == 1);
        script.connection()
                .arrives(script.answer(script.connection().sent().getLast()).slice(0, 1000));
        script.connection().breaks();
        script.silent = false;
        restarts();
        assertThat(seen).containsExactly(true);
        ends(read, Outcome.OK);
    }

    @Test
    void aResetDoesNotShowThatADonorHasEnded() {
        connect();
        script.connection().isReset();
        restarts();
        assertThat(seen).containsExactly(false);
    }

    @Test
    void aLinkThatTheServerGaveUpDoesNotShowThatADonorHasEnded() {
        connect();
        link.stoodStill(MINUTE, true);
        restarts();
        assertThat(seen).containsExactly(false);
    }

    @Test
    void anEndAfterAReplyThatSaysWhyIsNotTheProcesss() {
        connect();
        script.status = Status.BAD_REQUEST;
        LinkRequest write = post(Operation.WRITE, 3, PAGE);
        ends(write, Outcome.REFUSED);
        script.connection().breaks();
        restarts();
        assertThat(seen).containsExactly(false);
    }

    @Test
    void anEndAfterAnotherLastWordIsNotTheProcesss() {
        connect();
        script.connection().arrives(lastWord((byte) 99));
        until(() -> script.connection().closed());
        restarts();
        assertThat(seen).containsExactly(false);
        assertThat(told).containsExactly("restarted");
    }

    /** Nobody's reply has such a length. It is told as what it is, and not as a fault of this process. */
    @ParameterizedTest
    @ValueSource(ints = {-1, -16, Integer.MIN_VALUE, HelloReply.MAX_LENGTH + 1, Integer.MAX_VALUE})
    void anAnswerToTheHelloOfAnImpossibleLengthEndsTheConnection(int payload) {
        Logger reader = (Logger) LoggerFactory.getLogger(ReplyReader.class);
        ListAppender<ILoggingEvent> faults = new ListAppender<>();
        faults.start();
        reader.addAppender(faults);
        try {
            script.deaf = true;
            link.connect();
            until(() ->
                    !script.connections.isEmpty() && !script.connection().sent().isEmpty());
            ScriptedConnection first = script.connection();
            ByteBuf reply = Unpooled.buffer().writeZero(ReplyHeader.LENGTH + 3);
            ReplyHeader.encode(reply, 0, Operation.HELLO, Status.OK, 0, payload, 5);
            first.arrives(reply);
            until(first::closed);
            assertThat(faults.list).isEmpty();
        } finally {
            reader.detachAppender(faults);
        }
    }
}
