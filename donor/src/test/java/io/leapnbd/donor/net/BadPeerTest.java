package io.leapnbd.donor.net;

import static io.leapnbd.donor.Pages.PAGE;
import static org.assertj.core.api.Assertions.assertThat;

import io.leapnbd.donor.Await;
import io.leapnbd.donor.Hellos;
import io.leapnbd.donor.Pages;
import io.leapnbd.donor.protocol.Hello;
import io.leapnbd.donor.protocol.HelloReply;
import io.leapnbd.donor.protocol.Operation;
import io.leapnbd.donor.protocol.Protocol;
import io.leapnbd.donor.protocol.RequestHeader;
import io.leapnbd.donor.protocol.Status;
import io.leapnbd.donor.protocol.Version;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.function.UnaryOperator;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/** Peers that do not follow the protocol get one answer, and their link ends. Nobody else notices. */
class BadPeerTest {

    private TestDonor donor;
    private RawLink witness;
    private int witnessed;

    @BeforeEach
    void start() throws Exception {
        donor = new TestDonor(2);
        witness = RawLink.claim(donor.address(), "witness", 1);
        witnessed = witness.grant(0);
        witness.write(witnessed, 0, 1, Pages.array(1, PAGE));
    }

    @AfterEach
    void stop() throws IOException {
        witness.close();
        donor.close();
    }

    private void assertUnharmed() throws IOException {
        assertThat(witness.read(witnessed, 0, PAGE)).isEqualTo(Pages.array(1, PAGE));
    }

    private static void assertRefusedAndEnded(RawLink link) throws IOException {
        RawLink.Reply reply = link.receive();
        assertThat(Status.name(reply.status())).isEqualTo(Status.name(Status.BAD_REQUEST));
        assertThat(reply.payload()).isEmpty();
        assertThat(link.endsWithoutAWord()).isTrue();
    }

    static Stream<Arguments> badHellos() {
        byte[] good = RawLink.frame(Hellos.claim("a", 1));
        return Stream.of(
                Arguments.of(
                        "another protocol",
                        "GET / HTTP/1.1\r\nHost: donor.example\r\n\r\n".getBytes(StandardCharsets.US_ASCII)),
                Arguments.of("zeros", new byte[RequestHeader.LENGTH]),
                Arguments.of("a write before the hello", RawLink.frame(Operation.WRITE, 1, 0, 0, 1, 1, (byte) 1)),
                Arguments.of("a note before the hello", RawLink.frame(Operation.NOTE, 1, 0, 0, 0, 1, (byte) 1)),
                Arguments.of("an unknown operation", with(good, 0, 99)),
                Arguments.of("a flag", with(good, 1, 1)),
                Arguments.of("a huge body", with(good, 20, 0x7f)),
                Arguments.of("a negative body", with(good, 20, 0x80)),
                Arguments.of("a body cut short", hello(body -> Arrays.copyOf(body, 40))),
                Arguments.of("another magic", with(good, RequestHeader.LENGTH, 0)),
                Arguments.of("a mode that is not known", with(good, RequestHeader.LENGTH + 22, 3)),
                Arguments.of("a flag that is not known", with(good, RequestHeader.LENGTH + 23, 2)),
                Arguments.of("something reserved", with(good, RequestHeader.LENGTH + 16, 1)),
                Arguments.of("a negative epoch", with(good, RequestHeader.LENGTH + 59, 0xff)),
                Arguments.of("a negative version of a note", with(good, RequestHeader.LENGTH + 83, 0xff)),
                Arguments.of("a term that is too high", with(good, RequestHeader.LENGTH + 91, 1)),
                Arguments.of("a name that is longer than the body", with(good, RequestHeader.LENGTH + 56, 200)),
                Arguments.of("a name that is shorter than the body", with(good, RequestHeader.LENGTH + 57, 0)),
                Arguments.of("a name that is not UTF-8", with(good, RequestHeader.LENGTH + 58, 0xff)),
                Arguments.of("a note that is longer than the body", with(good, RequestHeader.LENGTH + 117, 0xff)),
                Arguments.of("a hello that is followed by more", hello(body -> Arrays.copyOf(body, body.length + 1))),
                Arguments.of(
                        "other contents, and not blank",
                        RawLink.frame(Hellos.claim("a", false, 1, Hellos.CONTENT, Hellos.HOST, 1))),
                Arguments.of(
                        "no contents", RawLink.frame(Hellos.claim("a", false, 0, HelloReply.NONE, HelloReply.NONE, 1))),
                Arguments.of(
                        "versions the wrong way round", with(good, RequestHeader.LENGTH + 9, Protocol.VERSION + 1)));
    }

    @ParameterizedTest(name = "{0}")
    @MethodSource("badHellos")
    void aHelloThatIsNone(String what, byte[] bytes) throws Exception {
        try (RawLink link = new RawLink(donor.address())) {
            link.send(bytes);
            assertRefusedAndEnded(link);
        }
        assertUnharmed();
        assertThat(donor.server.statistics().badRequests()).isEqualTo(1);
    }

    static Stream<Arguments> badRequests() {
        byte[] ping = RawLink.frame(Operation.PING, 1, 0, 0, 0, 0);
        return Stream.of(
                Arguments.of("a second hello", RawLink.frame(Hellos.claim("a", 1))),
                Arguments.of("operation 0", with(ping, 0, 0)),
                Arguments.of("an unknown operation", with(ping, 0, 11)),
                Arguments.of("an operation of RDMA", with(ping, 0, Operation.EXPOSE)),
                Arguments.of("a negative operation", with(ping, 0, 0x91)),
                Arguments.of("a flag", with(ping, 1, 0x80)),
                Arguments.of("a flag of a grant in a free", with(RawLink.frame(Operation.FREE, 1, 0, 0, 0, 1), 1, 1)),
                Arguments.of(
                        "a flag of a grant that is not known",
                        with(RawLink.frame(Operation.GRANT, 1, 1, 0, 0, 9), 1, 3)),
                Arguments.of("a free without a generation", RawLink.frame(Operation.FREE, 1, 4, 0, 0, 0)),
                Arguments.of("a placement without names", RawLink.frame(Operation.PLACE, 1, 4, 0, 0, 9)),
                Arguments.of("a placement of half a name", placement(33, 0, 1)),
                Arguments.of("a placement in an unknown state", placement(34, 2, 1)),
                Arguments.of("a placement with more names than it says", placement(66, 0, 1)),
                Arguments.of("a placement with fewer names than it says", placement(34, 0, 2)),
                Arguments.of("a placement with the same name twice", placement(66, 0, 2)),
                Arguments.of("a placement with too many names", placement(2 + 5 * 32, 0, 5)),
                Arguments.of("a placement as live that does not name the slab", placement(34, 0, 1)),
                Arguments.of("a ping with a payload", RawLink.frame(Operation.PING, 1, 0, 0, 0, 0, (byte) 1)),
                Arguments.of("a read with a payload", RawLink.frame(Operation.READ, 1, 0, 0, 1, 0, (byte) 1)),
                Arguments.of(
                        "a read of more than fits a frame",
                        RawLink.frame(Operation.READ, 1, 0, 0, Protocol.MAX_PAYLOAD + 1, 0)),
                Arguments.of("a read of all there is", RawLink.frame(Operation.READ, 1, 0, 0, Integer.MAX_VALUE, 0)),
                Arguments.of("a write without its payload", RawLink.frame(Operation.WRITE, 1, 0, 0, 1, 0)),
                Arguments.of(
                        "a write with more than its payload",
                        RawLink.frame(Operation.WRITE, 1, 0, 0, 1, 0, (byte) 1, (byte) 2)),
                Arguments.of(
                        "a write of more than fits a frame",
                        header(Operation.WRITE, Protocol.MAX_PAYLOAD + 1, Protocol.MAX_PAYLOAD + 1)),
                Arguments.of("a negative payload", header(Operation.WRITE, -1, -1)),
                Arguments.of("a payload of 2 GiB", header(Operation.WRITE, Integer.MAX_VALUE, Integer.MAX_VALUE)),
                Arguments.of(
                        "a version that is too high",
                        RawLink.frame(Operation.TRIM, 1, 0, 0, 1, Version.MAX_REQUEST + 1)),
                Arguments.of("no version", RawLink.frame(Operation.TRIM, 1, 0, 0, 1, 0)),
                Arguments.of(
                        "marks of pages that are not whole words", RawLink.frame(Operation.PAGES, 1, 0, 0, PAGE, 0)),
                Arguments.of("marks of too many pages", RawLink.frame(Operation.PAGES, 1, 0, 0, 256 << 20, 0)),
                Arguments.of(
                        "lost pages of another slab size", RawLink.frame(Operation.GRANT, 1, 0, 0, 0, 1, (byte) 1)),
                Arguments.of(
                        "a note that is too long",
                        RawLink.frame(Operation.NOTE, 1, 0, 0, 0, 1, new byte[Protocol.MAX_NOTE + 1])),
                Arguments.of("a version with marks", RawLink.frame(Operation.GRANT, 1, 0, 0, 0, 1L << 63)),
                Arguments.of("a negative index", RawLink.frame(Operation.GRANT, 1, -1, 0, 0, 1)));
    }

    @ParameterizedTest(name = "{0}")
    @MethodSource("badRequests")
    void aRequestThatIsNone(String what, byte[] bytes) throws Exception {
        try (RawLink link = RawLink.claim(donor.address(), "a", 1)) {
            int handle = link.grant(1);
            // What went before is done, what comes after is not.
            link.send(RawLink.frame(Operation.WRITE, 1, handle, 0, 1, link.version(1), (byte) 7));
            link.send(bytes);
            link.send(RawLink.frame(Operation.WRITE, 2, handle, 0, 1, link.version(2), (byte) 8));
            assertThat(link.receive().status()).isEqualTo(Status.OK);
            assertRefusedAndEnded(link);
            try (RawLink next = RawLink.claim(donor.address(), "a", 1)) {
                assertThat(next.read(handle, 0, 1)).containsExactly(7);
            }
        }
        assertUnharmed();
        assertThat(donor.server.statistics().badRequests()).isEqualTo(1);
    }

    @Test
    void anAnnouncedPayloadThatNeverComesTakesNoMoreThanItself() throws Exception {
        try (RawLink link = RawLink.claim(donor.address(), "a", 1)) {
            link.send(header(Operation.WRITE, Protocol.MAX_PAYLOAD, Protocol.MAX_PAYLOAD));
            link.send(new byte[1000]);
            assertUnharmed();
        }
    }

    @Test
    void aConnectionThatIsResetIsForgotten() throws Exception {
        for (int i = 0; i < 20; i++) {
            RawLink link = RawLink.claim(donor.address(), "a", 1);
            link.send(RawLink.frame(Operation.READ, 1, witnessed, 0, 1, 0));
            // Close with a reset.
            link.socket.setSoLinger(true, 0);
            link.socket.close();
        }
        assertUnharmed();
        Await.until(
                "all but the witness are gone", () -> donor.server.statistics().openLinks() == 1);
    }

    private static byte[] with(byte[] frame, int at, int value) {
        byte[] changed = frame.clone();
        changed[at] = (byte) value;
        return changed;
    }

    private static byte[] header(byte operation, int length, int payload) {
        byte[] frame = RawLink.frame(operation, 1, 0, 0, length, 0);
        ByteBuffer.wrap(frame).putInt(20, payload);
        return frame;
    }

    /** All of its names are the same. */
    private static byte[] placement(int length, int state, int names) {
        byte[] body = new byte[length];
        Arrays.fill(body, (byte) 1);
        body[0] = (byte) state;
        body[1] = (byte) names;
        return RawLink.frame(Operation.PLACE, 1, 4, 0, 0, Version.ofGrant(9, 0), body);
    }

    private static byte[] hello(UnaryOperator<byte[]> change) {
        Hello hello = Hellos.claim("a", 1);
        byte[] frame = RawLink.frame(hello);
        byte[] body = change.apply(Arrays.copyOfRange(frame, RequestHeader.LENGTH, frame.length));
        return RawLink.frame(Operation.HELLO, 1, 0, 0, 0, 0, body);
    }
}
