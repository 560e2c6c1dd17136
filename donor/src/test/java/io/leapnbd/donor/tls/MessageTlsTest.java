package io.leapnbd.donor.tls;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.leapnbd.donor.TestPool;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import javax.net.ssl.SSLException;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** TLS over messages, both ends by hand: who is refused, and that a message comes as it was sent, in its turn, once. */
class MessageTlsTest {

    private static final int MOST = 32 + (64 << 10);

    private final TestPool pool;
    private final LinkTls donorTls;
    private final LinkTls serverTls;
    private MessageTls donor;
    private MessageTls server;

    MessageTlsTest() throws Exception {
        pool = new TestPool();
        donorTls = pool.donor("h1");
        serverTls = pool.server("web");
        donor = donorTls.messages(MOST);
        server = serverTls.messages(MOST);
    }

    @AfterEach
    void close() {
        donor.close();
        server.close();
        donorTls.close();
        serverTls.close();
    }

    private static ByteBuf frame() {
        int length = MessageTls.sealedLength(MOST);
        return Unpooled.wrappedBuffer(ByteBuffer.allocateDirect(length)).clear();
    }

    /** The other end's answer to a message, whole. */
    private static MessageTls.Step step(MessageTls end, ByteBuf in, ByteBuf out) throws SSLException {
        MessageTls.Step step = end.handshake(in, out);
        while (step == MessageTls.Step.TASK) {
            end.runTask();
            step = end.handshake(in, out);
        }
        return step;
    }

    private void shakeHands() throws SSLException {
        ByteBuf toDonor = frame();
        ByteBuf toServer = frame();
        MessageTls.Step here = step(server, Unpooled.EMPTY_BUFFER, toDonor);
        MessageTls.Step there = MessageTls.Step.RECEIVE;
        while (here != MessageTls.Step.DONE || there != MessageTls.Step.DONE) {
            assertThat(toDonor.isReadable()).isTrue();
            there = step(donor, toDonor, toServer.clear());
            if (here != MessageTls.Step.DONE) {
                here = step(server, toServer, toDonor.clear());
            }
        }
    }

    private static ByteBuf sealed(MessageTls from, byte[] message) throws SSLException {
        from.plain().clear().writeBytes(message);
        ByteBuf frame = frame();
        return frame.writerIndex(from.seal(message.length, frame));
    }

    private static byte[] opened(MessageTls to, ByteBuf frame) throws SSLException {
        byte[] message = new byte[to.open(frame, frame.writerIndex())];
        to.opened().getBytes(0, message);
        return message;
    }

    private static byte[] random(int length, long seed) {
        byte[] bytes = new byte[length];
        new Random(seed).nextBytes(bytes);
        return bytes;
    }

    @Test
    void bothEndsKnowEachOtherAndMessagesOfAnyLengthArriveAsTheyWereSent() throws Exception {
        shakeHands();
        assertThat(donor.peer()).isEqualTo(new PoolName("test", Role.SERVER, "web"));
        assertThat(server.peer()).isEqualTo(new PoolName("test", Role.DONOR, "h1"));
        // The donor first, as the tickets of a session come with its first message, if there are any.
        for (int length : new int[] {16, 1, 32, 4096 + 32, 16 << 10, (16 << 10) + 1, MOST}) {
            byte[] message = random(length, length);
            ByteBuf frame = sealed(donor, message);
            assertThat(opened(server, frame)).isEqualTo(message);
            frame = sealed(server, message);
            assertThat(frame.writerIndex()).isEqualTo(MessageTls.sealedLength(length));
            assertThat(opened(donor, frame)).isEqualTo(message);
        }
    }

    @Test
    void aMessageThatWasChangedIsRefusedWithTheSentenceForIt() throws Exception {
        shakeHands();
        ByteBuf frame = sealed(server, random(4128, 1));
        frame.setByte(2000, frame.getByte(2000) ^ 1);
        assertThatThrownBy(() -> opened(donor, frame))
                .isInstanceOf(SSLException.class)
                .satisfies(problem -> assertThat(TlsProblem.sentence(problem, Role.SERVER))
                        .isEqualTo("breaks TLS: a record was changed on the way"));
    }

    @Test
    void aMessageThatComesTwiceOrOutOfItsTurnIsRefused() throws Exception {
        shakeHands();
        ByteBuf first = sealed(server, random(64, 1));
        ByteBuf second = sealed(server, random(64, 2));
        ByteBuf third = sealed(server, random(64, 3));
        assertThat(opened(donor, first)).hasSize(64);
        assertThatThrownBy(() -> opened(donor, first)).isInstanceOf(SSLException.class);
        assertThat(second.writerIndex()).isEqualTo(third.writerIndex());
    }

    @Test
    void aMessageThatIsLeftOutIsFoundOutByTheNext() throws Exception {
        shakeHands();
        ByteBuf lost = sealed(server, random(64, 1));
        ByteBuf next = sealed(server, random(64, 2));
        assertThat(lost.writerIndex()).isPositive();
        assertThatThrownBy(() -> opened(donor, next)).isInstanceOf(SSLException.class);
    }

    @Test
    void halfARecordIsNoMessage() throws Exception {
        shakeHands();
        ByteBuf frame = sealed(server, random(64, 1));
        assertThatThrownBy(() -> donor.open(frame, frame.writerIndex() - 1))
                .isInstanceOf(SSLException.class)
                .hasMessageContaining("does not end where a record does");
    }

    /** Nothing but an end of the link comes of them, in the handshake and after it. */
    @Test
    void bytesThatWereMadeUpAreRefusedWhateverTheyAre() throws Exception {
        Random random = new Random(Long.getLong("leap.seed", 1));
        for (int i = 0; i < 60; i++) {
            try (MessageTls end = donorTls.messages(MOST);
                    MessageTls other = serverTls.messages(MOST)) {
                ByteBuf hello = frame();
                MessageTls.Step _ = step(other, Unpooled.EMPTY_BUFFER, hello);
                int at = random.nextInt(hello.writerIndex());
                hello.setByte(at, hello.getByte(at) ^ 1 << random.nextInt(8));
                ByteBuf made = i % 2 == 0 ? hello : frame().writeBytes(random(random.nextInt(3000), i));
                ByteBuf out = frame();
                try {
                    MessageTls.Step _ = step(end, made, out);
                } catch (SSLException e) {
                    end.lastWords(out);
                }
            }
        }
        shakeHands();
        ByteBuf frame = sealed(server, random(4128, 1));
        for (int i = 0; i < 20; i++) {
            int length = 1 + random.nextInt(frame.writerIndex() - 1);
            frame.setByte(random.nextInt(frame.writerIndex()), random.nextInt());
            assertThatThrownBy(() -> assertThat(donor.open(frame, length)).isPositive())
                    .isInstanceOf(SSLException.class);
        }
    }

    @Test
    void whatIsSaidBeforeTheEndOfTheHandshakeIsRefused() throws Exception {
        ByteBuf toDonor = frame();
        MessageTls.Step _ = step(server, Unpooled.EMPTY_BUFFER, toDonor);
        toDonor.writeBytes(random(64, 1));
        assertThatThrownBy(() -> step(donor, toDonor, frame())).isInstanceOf(SSLException.class);
    }

    /** What each end says of a handshake that fails: the donor first. */
    private List<String> refusal(LinkTls shown) throws Exception {
        server.close();
        List<String> said = new ArrayList<>();
        ByteBuf toDonor = frame();
        ByteBuf toServer = frame();
        server = shown.messages(MOST);
        try {
            MessageTls.Step _ = step(server, Unpooled.EMPTY_BUFFER, toDonor);
            MessageTls.Step _ = step(donor, toDonor, toServer);
            try {
                MessageTls.Step _ = step(server, toServer, toDonor.clear());
            } catch (SSLException e) {
                said.add(TlsProblem.sentence(e, Role.DONOR));
                server.lastWords(toDonor);
            }
            assertThatThrownBy(() -> step(donor, toDonor, toServer.clear()))
                    .isInstanceOf(SSLException.class)
                    .satisfies(problem -> said.addFirst(TlsProblem.sentence(problem, Role.SERVER)));
            if (said.size() == 1) {
                donor.lastWords(toServer);
                assertThatThrownBy(() -> server.open(toServer, toServer.writerIndex()))
                        .isInstanceOf(SSLException.class)
                        .satisfies(problem -> said.add(TlsProblem.sentence(problem, Role.DONOR)));
            }
        } finally {
            shown.close();
        }
        return said;
    }

    @Test
    void aServerOfAnotherPoolIsRefusedAndBothSaySo() throws Exception {
        List<String> said = refusal(LinkTls.server(pool.credentials(new TestPool().issue(Role.SERVER, "web"))));
        assertThat(said.getFirst()).startsWith("is refused: its certificate is not of this pool's authority");
        assertThat(said.getLast())
                .startsWith("refuses the certificate of this server: it is not of the other end's pool");
    }

    @Test
    void aDonorOfAnotherPoolIsRefusedAndBothSaySo() throws Exception {
        List<String> said = refusal(new TestPool().server("web"));
        assertThat(said.getFirst())
                .startsWith("refuses the certificate of this donor: it is not of the other end's pool");
        assertThat(said.getLast()).startsWith("is refused: its certificate is not of this pool's authority");
    }
}
