package io.leapnbd.bypass.link;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.leapnbd.donor.protocol.Hello;
import io.leapnbd.donor.protocol.Operation;
import io.leapnbd.donor.protocol.RequestHeader;
import io.leapnbd.donor.protocol.SlabCopies;
import io.leapnbd.donor.protocol.SlabName;
import io.leapnbd.donor.protocol.Status;
import io.leapnbd.donor.rdma.LocalMemory;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.UUID;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** A conversation over RDMA with a donor that is not there. */
class RdmaConversationTest {

    private static final Hello HELLO = Hello.observe("swap0", 0);
    private static final SlabSink NOWHERE = (index, handle, grantVersion, generation, touched, copies) -> {};

    private final ScriptedDonor script = new ScriptedDonor();

    private Conversation open(Duration timeout) throws IOException {
        LocalMemory none = new LocalMemory();
        return new ProtocolConversation(
                new RdmaExchange(script, InetSocketAddress.createUnresolved("scripted", 1), timeout, none));
    }

    private Conversation greeted(Duration timeout) throws IOException {
        Conversation talk = open(timeout);
        assertThat(talk.hello(HELLO).status()).isEqualTo(Status.OK);
        return talk;
    }

    @AfterEach
    void release() {
        script.memory.release();
    }

    @Test
    void theHelloIsAnsweredAndMayBeRepeated() throws Exception {
        try (Conversation talk = open(Duration.ofSeconds(30))) {
            for (int i = 0; i < 2; i++) {
                assertThat(talk.hello(HELLO).reply())
                        .isNotNull()
                        .satisfies(reply -> assertThat(reply.incarnation()).isEqualTo(script.incarnation));
            }
        }
        assertThat(script.wire().closed).isTrue();
    }

    @Test
    void aListGoesOnWhereItsLastPartEnded() throws Exception {
        try (Conversation talk = greeted(Duration.ofSeconds(30))) {
            script.slabsHeld = 5;
            script.slabsAListTakes = 2;
            List<Integer> handles = new ArrayList<>();
            talk.list((index, handle, grantVersion, generation, touched, copies) -> handles.add(handle));
            assertThat(handles).containsExactly(100, 101, 102, 103, 104);
        }
    }

    @Test
    void aListThatStartsOverIsNotFollowedForEver() throws Exception {
        // F13
        try (Conversation talk = greeted(Duration.ofSeconds(30))) {
            script.slabsHeld = 5;
            script.slabsAListTakes = 2;
            script.listStartsOver = true;
            assertThatThrownBy(() -> talk.list(NOWHERE)).isInstanceOf(IOException.class);
        }
    }

    @Test
    void aSlabIsGivenBackByItsHandle() throws Exception {
        try (Conversation talk = greeted(Duration.ofSeconds(30))) {
            assertThat(talk.free(17, 6)).isEqualTo(Status.OK);
            ByteBuf free = script.wire().sent.getLast();
            assertThat(RequestHeader.operation(free, 0)).isEqualTo(Operation.FREE);
            assertThat(RequestHeader.slab(free, 0)).isEqualTo(17);
            assertThat(RequestHeader.version(free, 0)).isEqualTo(6);
            script.status = Status.NOT_OWNER;
            assertThat(talk.free(18, 6)).isEqualTo(Status.NOT_OWNER);
        }
    }

    @Test
    void aSlabIsPlacedByItsHandle() throws Exception {
        SlabCopies copies =
                SlabCopies.live(List.of(new SlabName(new UUID(1, 2), 17, 5), new SlabName(new UUID(3, 4), 6, 7)));
        try (Conversation talk = greeted(Duration.ofSeconds(30))) {
            assertThat(talk.place(17, 6, copies)).isEqualTo(Status.OK);
            ByteBuf place = script.wire().sent.getLast();
            assertThat(RequestHeader.operation(place, 0)).isEqualTo(Operation.PLACE);
            assertThat(RequestHeader.slab(place, 0)).isEqualTo(17);
            assertThat(RequestHeader.version(place, 0)).isEqualTo(6);
            assertThat(SlabCopies.decodePlace(place.slice(RequestHeader.LENGTH, RequestHeader.payload(place, 0))))
                    .isEqualTo(copies);
            script.status = Status.STALE;
            assertThat(talk.place(17, 5, copies)).isEqualTo(Status.STALE);
        }
    }

    /** Otherwise a donor could make a server keep a million processes in mind. */
    @Test
    void aListThatNamesEverMoreDonorsIsNotFollowed() throws Exception {
        script.slabsHeld = 100_000;
        script.slabsAListTakes = 1000;
        script.copiesListed = index -> SlabCopies.live(List.of(new SlabName(new UUID(1, index), 1, 1)));
        try (Conversation talk = greeted(Duration.ofSeconds(30))) {
            assertThatThrownBy(() -> talk.list(NOWHERE))
                    .isInstanceOf(IOException.class)
                    .hasMessageContaining("too many donors");
        }
    }

    @Test
    void anAnswerThatDoesNotComeIsNotWaitedForForEver() throws Exception {
        try (Conversation talk = greeted(Duration.ofMillis(500))) {
            script.silent = true;
            assertThatThrownBy(() -> talk.list(NOWHERE))
                    .isInstanceOf(IOException.class)
                    .hasMessageContaining("no answer");
        }
    }

    @Test
    void aConnectionThatBreaksIsSaidToHaveBroken() throws Exception {
        try (Conversation talk = greeted(Duration.ofSeconds(30))) {
            script.silent = true;
            script.wire().breaks();
            assertThatThrownBy(() -> talk.list(NOWHERE))
                    .isInstanceOf(IOException.class)
                    .hasMessage("pulled out");
        }
    }

    @Test
    void anAnswerThatIsNoneOfThisProtocolIsRefused() throws Exception {
        try (Conversation talk = greeted(Duration.ofSeconds(30))) {
            script.silent = true;
            script.wire().arrives(Unpooled.buffer().writeZero(3));
            assertThatThrownBy(() -> talk.list(NOWHERE))
                    .isInstanceOf(IOException.class)
                    .hasMessageContaining("broke the protocol");
        }
    }
}
