package io.leapnbd.bypass.link;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.leapnbd.donor.protocol.Hello;
import io.leapnbd.donor.protocol.Operation;
import io.leapnbd.donor.protocol.RequestHeader;
import io.leapnbd.donor.protocol.SlabList;
import io.leapnbd.donor.protocol.Status;
import io.leapnbd.donor.rdma.LocalMemory;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import java.io.IOException;
import java.time.Duration;
import java.util.UUID;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** Against a donor that is not there. */
class RdmaConversationTest {

    private static final Hello HELLO = new Hello(1, 1, 0, 3, new UUID(1, 1), new UUID(2, 2), "swap0");

    private final ScriptedDonor script = new ScriptedDonor();

    private RdmaConversation open(Duration timeout) throws IOException {
        return new RdmaConversation(script, HELLO, timeout, new LocalMemory());
    }

    @AfterEach
    void release() {
        script.memory.release();
    }

    @Test
    void theHelloIsAnswered() throws IOException {
        try (RdmaConversation conversation = open(Duration.ofSeconds(30))) {
            assertThat(conversation.status()).isEqualTo(Status.OK);
            assertThat(conversation.reply()).isNotNull().satisfies(reply -> {
                assertThat(reply.incarnation()).isEqualTo(script.incarnation);
                assertThat(reply.slabSize()).isEqualTo(ScriptedDonor.SLAB_SIZE);
            });
            ByteBuf hello = script.wire().sent.getFirst();
            assertThat(RequestHeader.operation(hello, 0)).isEqualTo(Operation.HELLO);
            assertThat(RequestHeader.payload(hello, 0)).isEqualTo(hello.readableBytes() - RequestHeader.LENGTH);
        }
        assertThat(script.wire().closed).isTrue();
    }

    @Test
    void aListGoesOnWhereItsLastPartEnded() throws IOException {
        try (RdmaConversation conversation = open(Duration.ofSeconds(30))) {
            script.slabsHeld = 5;
            script.slabsAListTakes = 2;
            assertThat(conversation.list()).extracting(SlabList.Slab::handle).containsExactly(100, 101, 102, 103, 104);
            assertThat(script.wire().operations()).containsExactly(Operation.LIST, Operation.LIST, Operation.LIST);
        }
    }

    @Test
    void aListThatStartsOverIsNotFollowedForEver() throws IOException {
        try (RdmaConversation conversation = open(Duration.ofSeconds(30))) {
            script.slabsHeld = 5;
            script.slabsAListTakes = 2;
            script.listStartsOver = true;
            assertThatThrownBy(conversation::list)
                    .isInstanceOf(IOException.class)
                    .hasMessageContaining("does not advance");
        }
    }

    @Test
    void aSlabIsGivenBackByItsHandle() throws IOException {
        try (RdmaConversation conversation = open(Duration.ofSeconds(30))) {
            conversation.free(17);
            ByteBuf free = script.wire().sent.getLast();
            assertThat(RequestHeader.operation(free, 0)).isEqualTo(Operation.FREE);
            assertThat(RequestHeader.slab(free, 0)).isEqualTo(17);
            script.status = Status.NOT_OWNER;
            assertThatThrownBy(() -> conversation.free(18))
                    .isInstanceOf(IOException.class)
                    .hasMessageContaining("refused");
        }
    }

    @Test
    void aClaimThatIsFencedOffIsNoFailureOfTheConversation() throws IOException {
        script.helloStatus = Status.FENCED;
        try (RdmaConversation conversation = open(Duration.ofSeconds(30))) {
            assertThat(conversation.status()).isEqualTo(Status.FENCED);
            assertThat(conversation.reply()).isNull();
        }
    }

    @Test
    void aHelloThatIsRefusedEndsTheConversation() {
        script.helloStatus = Status.BAD_REQUEST;
        assertThatThrownBy(() -> open(Duration.ofSeconds(30)).close())
                .isInstanceOf(IOException.class)
                .hasMessageContaining("refused the hello");
        assertThat(script.wire().closed).isTrue();
    }

    @Test
    void anAnswerThatDoesNotComeIsNotWaitedForForEver() throws IOException {
        try (RdmaConversation conversation = open(Duration.ofMillis(200))) {
            script.silent = true;
            assertThatThrownBy(conversation::list)
                    .isInstanceOf(IOException.class)
                    .hasMessageContaining("no answer");
        }
    }

    @Test
    void aConnectionThatBreaksIsSaidToHaveBroken() throws IOException {
        try (RdmaConversation conversation = open(Duration.ofSeconds(30))) {
            script.silent = true;
            script.wire().breaks();
            assertThatThrownBy(conversation::list)
                    .isInstanceOf(IOException.class)
                    .hasMessage("pulled out");
        }
    }

    @Test
    void anAnswerThatIsNoneOfThisProtocolIsRefused() throws IOException {
        try (RdmaConversation conversation = open(Duration.ofSeconds(30))) {
            script.silent = true;
            script.wire().arrives(Unpooled.buffer().writeZero(3));
            assertThatThrownBy(conversation::list)
                    .isInstanceOf(IOException.class)
                    .hasMessageContaining("broke the protocol");
        }
        try (RdmaConversation conversation = open(Duration.ofSeconds(30))) {
            script.wire().arrives(Unpooled.buffer().writeZero(64));
            script.silent = true;
            assertThatThrownBy(conversation::list)
                    .isInstanceOf(IOException.class)
                    .hasMessageContaining("does not speak the donor protocol");
        }
    }
}
