package io.leapnbd.bypass.link;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.leapnbd.bypass.Pool;
import io.leapnbd.bypass.link.LinkRequest.Outcome;
import io.leapnbd.donor.protocol.Hello;
import io.leapnbd.donor.protocol.Operation;
import io.leapnbd.donor.protocol.ReplyHeader;
import io.leapnbd.donor.protocol.Status;
import io.leapnbd.donor.rdma.LocalMemory;
import io.leapnbd.donor.tls.LinkTls;
import io.leapnbd.donor.tls.PoolName;
import io.leapnbd.donor.tls.Role;
import io.leapnbd.donor.tls.TlsProblem;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** The server's end of links of a pool over RDMA, without a device: whom it refuses, and what it says before it knows. */
class TlsRdmaLinkTest extends RdmaLinkFixture {

    private final Pool pool = new Pool();
    private final LinkTls tls;

    TlsRdmaLinkTest() throws Exception {
        tls = pool.server("web");
        script.shows = pool.shows(pool.issue(Role.DONOR, "h1"));
    }

    @Override
    LinkTransport transport() {
        return secured(false);
    }

    private LinkTransport secured(boolean busyPoll) {
        DonorResolver resolver = new DonorResolver(new DonorAddress(DonorAddress.Transport.RDMA, "127.0.0.1", 1), loop);
        return of -> new RdmaSession(
                of,
                loop,
                resolver,
                (to, shape, events) -> new TlsDialer(script, tls, loop).dial(to, shape, events),
                Duration.ofSeconds(30),
                ScriptedDonor.SLAB_SIZE,
                watch(),
                busyPoll,
                landing);
    }

    @AfterEach
    void closeTls() {
        link.close();
        tls.close();
    }

    private Conversation talk(Duration timeout) throws IOException {
        LocalMemory none = new LocalMemory();
        return new ProtocolConversation(new RdmaExchange(
                new TlsDialer(script, tls, null), InetSocketAddress.createUnresolved("scripted", 1), timeout, none));
    }

    /** What an operator is told at the start, and by a server that runs. */
    private List<String> refusals() {
        List<String> said = new ArrayList<>();
        assertThatThrownBy(() -> {
                    try (Conversation talk = talk(Duration.ofSeconds(30))) {
                        talk.hello(Hello.observe("swap0", 0));
                    }
                })
                .isInstanceOf(RefusedException.class)
                .satisfies(refusal -> said.add(String.valueOf(refusal.getMessage())));
        link.connect();
        until(() -> donor.whyUnused() != null);
        said.add(donor.whyUnused());
        assertThat(script.wires.getFirst().sent).isEmpty();
        return said;
    }

    private void assertRefused(String sentence) {
        assertThat(refusals()).hasSize(2).allSatisfy(said -> assertThat(said).startsWith(sentence));
    }

    @Test
    void requestsAndRepliesAreEncryptedAndReadsAreTheDevices() {
        connect();
        assertThat(donor.shown()).isEqualTo(new PoolName("test", Role.DONOR, "h1"));
        learnKey(3);
        assertRead(3);
        script.memory.setZero(0, PAGE);
        ends(post(Operation.READ, 3, PAGE), Outcome.OK);
        assertRead(3);
        assertThat(script.wire().reads).hasSize(1);
        // Sixteen messages, each as long as one may be.
        ends(post(Operation.WRITE, 4, 1 << 20), Outcome.OK);
        // Other ends of TLS may cut records a little shorter.
        ends(post(Operation.READ, 4, 48 << 10), Outcome.OK);
        for (ByteBuf message : script.wire().seen) {
            assertThat(TlsProblem.beginsTls(message.getUnsignedByte(0), message.getUnsignedByte(1)))
                    .isTrue();
            assertThat(message.toString(StandardCharsets.ISO_8859_1)).doesNotContain("LEAPDNR", "swap0");
        }
    }

    @Test
    void withBusyPollingTheHandshakeIsLookedForToo() {
        link = link(of -> secured(true).session(of));
        connect();
        ends(post(Operation.WRITE, 4, PAGE), Outcome.OK);
    }

    @Test
    void aConversationIsEncryptedToo() throws Exception {
        try (Conversation talk = talk(Duration.ofSeconds(30))) {
            for (int i = 0; i < 3; i++) {
                assertThat(talk.hello(Hello.observe("swap0", 0)).status()).isEqualTo(Status.OK);
            }
        }
        assertThat(script.wire().closed).isTrue();
    }

    @Test
    void aDonorOfAnotherPoolIsRefused() throws Exception {
        script.shows = pool.shows(new Pool().issue(Role.DONOR, "h1"));
        assertRefused("is refused: its certificate is not of this pool's authority");
    }

    /** The donor believes this server, and shows a server's certificate itself. */
    @Test
    void aServerDoesNotLend() throws Exception {
        script.shows = pool.shows(pool.issue(Role.SERVER, "mail"));
        assertRefused("is refused: its certificate is that of a server (mail)");
    }

    @Test
    void aDonorWhoseCertificateHasEndedIsRefused() throws Exception {
        script.shows = pool.shows(pool.ended(Role.DONOR, "h1"));
        assertRefused("is refused: its certificate has ended");
    }

    /** It takes this server's word for it, until it is shown to the donor. */
    @Test
    void aDonorThatRefusesThisServerIsHeardAlsoIfItEndsTheConnectionAtOnce() throws Exception {
        Pool other = new Pool();
        // Signed by this pool, and believing another one.
        script.shows = other.shows(pool.issue(Role.DONOR, "h1"));
        script.endsAfterAlert = true;
        assertRefused("refuses the certificate of this server: ");
    }

    @Test
    void aDonorWithoutAPoolIsRefused() {
        script.shows = null;
        script.status = Status.BAD_REQUEST;
        assertThatThrownBy(() -> talk(Duration.ofSeconds(30)))
                .isInstanceOf(RefusedException.class)
                .hasMessage("does not use TLS; start that donor with --pool");
        link.connect();
        until(() -> donor.whyUnused() != null);
        assertThat(donor.whyUnused()).startsWith("does not use TLS; start that donor with --pool");
    }

    /** The next one arrives while what came of the one before is on its way, or a certificate is looked at. */
    @Test
    void aHandshakeInManyMessagesIsReadInTheirOrder() {
        script.recordsAlone = true;
        connect();
        learnKey(3);
        assertRead(3);
        assertThat(script.wires).hasSize(1);
    }

    @Test
    void nothingIsAskedBeforeTheDonorSaysThatItKnowsThisServer() {
        script.neverReady = true;
        link.connect();
        until(() -> !script.wires.isEmpty() && script.wire().seen.size() >= 2);
        for (int i = 0; i < 20; i++) {
            until(() -> true);
        }
        assertThat(script.wire().sent).isEmpty();
        assertThat(link.ready()).isFalse();
        script.wire().arrives(ScriptedTls.ready());
        until(link::ready);
    }

    @Test
    void aDonorThatSaysAnythingElseFirstIsNotBelieved() {
        script.neverReady = true;
        link.connect();
        until(() -> !script.wires.isEmpty() && script.wire().seen.size() >= 2);
        ByteBuf other = ScriptedTls.ready();
        ReplyHeader.encode(other, 0, Operation.HELLO, Status.OK, 0, 0, 0);
        script.wire().arrives(other);
        script.neverReady = false;
        until(() -> script.wires.size() == 2 && link.ready());
        assertThat(script.wires.getFirst().closed).isTrue();
        assertThat(script.wires.getFirst().sent).isEmpty();
    }

    /** From somebody on the wire, who has seen no key. */
    @Test
    void aWordThatIsNotEncryptedEndsTheConnection() {
        script.neverReady = true;
        link.connect();
        until(() -> !script.wires.isEmpty() && script.wire().seen.size() >= 2);
        script.wire().arrivesAsItIs(ScriptedTls.ready());
        script.neverReady = false;
        until(() -> script.wires.size() == 2 && link.ready());
        assertThat(script.wires.getFirst().sent).isEmpty();
    }

    @Test
    void aReplyThatWasChangedEndsTheConnectionAndTheRequestIsSentAgain() {
        connect();
        List<ByteBuf> changed = new ArrayList<>();
        script.onTheWay = reply -> {
            if (changed.isEmpty()) {
                reply.setByte(30, reply.getByte(30) ^ 1);
                changed.add(reply);
            }
            return reply;
        };
        ends(post(Operation.READ, 3, PAGE), Outcome.OK);
        assertRead(3);
        assertThat(script.wires).hasSize(2);
        assertThat(script.wires.getFirst().closed).isTrue();
    }

    @Test
    void aReplyThatComesTwiceEndsTheConnection() {
        connect();
        List<ByteBuf> said = new ArrayList<>();
        script.onTheWay = reply -> {
            said.add(reply.copy());
            return reply;
        };
        ends(post(Operation.GRANT, 3, 0), Outcome.OK);
        script.wire().arrivesAsItIs(said.getFirst());
        until(() -> script.wires.size() == 2 && link.ready());
    }

    @Test
    void aDonorThatIsSilentInTheHandshakeIsNotWaitedForForEver() {
        script.silentInHandshake = true;
        assertThatThrownBy(() -> talk(Duration.ofMillis(300)))
                .isInstanceOf(IOException.class)
                .isNotInstanceOf(RefusedException.class)
                .hasMessageContaining("took too long for the TLS handshake");
        link.connect();
        until(() -> script.wires.size() == 2 && !script.wire().seen.isEmpty());
        link.tick(System.nanoTime() + MINUTE);
        script.silentInHandshake = false;
        until(link::ready);
    }

    @Test
    void aConnectionThatEndsInTheHandshakeIsMadeAnew() {
        script.silentInHandshake = true;
        link.connect();
        until(() -> !script.wires.isEmpty() && !script.wire().seen.isEmpty());
        script.silentInHandshake = false;
        script.wire().breaks();
        until(() -> script.wires.size() == 2 && link.ready());
    }

    @Test
    void bytesThatAreNoRecordsEndTheHandshake() {
        script.silentInHandshake = true;
        link.connect();
        until(() -> !script.wires.isEmpty() && !script.wire().seen.isEmpty());
        script.silentInHandshake = false;
        script.wire().arrivesAsItIs(Unpooled.wrappedBuffer(new byte[] {22, 3, 3, 0x40, 0, 1}));
        until(() -> script.wires.size() == 2 && link.ready());
    }
}
