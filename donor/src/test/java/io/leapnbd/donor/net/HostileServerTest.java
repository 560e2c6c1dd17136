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
import io.leapnbd.donor.protocol.Status;
import io.leapnbd.donor.protocol.Version;
import java.io.IOException;
import java.net.SocketException;
import java.nio.ByteBuffer;
import java.util.Random;
import java.util.UUID;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * A server that has claimed an export of its own, speaks the protocol, and means harm to another one's (kin of F8, F9). The table says
 * what each attempt is answered with; after it the other server has its page, its slab and its link. {@link BadPeerTest} has what is no
 * protocol at all.
 */
class HostileServerTest {

    /** Of random requests; a night's run gives others. */
    private static final long SEED = Long.getLong("leap.seed", 1);

    private static final int STEPS = Integer.getInteger("leap.steps", 3_000);

    /** Where another server's slab is; nobody tells, but it is not hard to guess. */
    private static final int THEIRS = -77;

    /** Where its own is. */
    private static final int OWN = -78;

    private static final byte[] OPERATIONS = {
        Operation.PING,
        Operation.GRANT,
        Operation.FREE,
        Operation.LIST,
        Operation.PAGES,
        Operation.NOTE,
        Operation.PLACE,
        Operation.READ,
        Operation.WRITE,
        Operation.TRIM,
        Operation.LOSE
    };

    private TestDonor donor;
    private RawLink victim;
    private int victims;

    @BeforeEach
    void start() throws Exception {
        donor = new TestDonor(6);
        victim = RawLink.claim(donor.address(), "a", 1);
        victims = victim.grant(0);
        assertThat(victim.write(victims, 0, 1, Pages.array(1, PAGE))).isEqualTo(Status.OK);
    }

    @AfterEach
    void stop() throws IOException {
        victim.close();
        donor.close();
    }

    private void assertUnharmed() throws IOException {
        assertThat(victim.read(victims, 0, PAGE)).isEqualTo(Pages.array(1, PAGE));
        assertThat(victim.ask(Operation.LIST, 0, 0, 0, 0).payload()).hasSize(8 + 20);
        assertThat(victim.ask(Operation.PING, 0, 0, 0, 0).status()).isEqualTo(Status.OK);
    }

    private static Arguments attempt(
            String what, byte status, byte operation, int slab, int offset, int length, long version, byte... payload) {
        return Arguments.of(what, status, operation, slab, offset, length, version, payload);
    }

    private static byte[] place(int names) {
        byte[] body = new byte[2 + 32 * names];
        java.util.Arrays.fill(body, (byte) 3);
        body[0] = 0;
        body[1] = (byte) names;
        return body;
    }

    static Stream<Arguments> attempts() {
        byte[] page = new byte[PAGE];
        long generation = Version.ofGrant(7, 1);
        return Stream.of(
                attempt("reads another's", Status.NOT_OWNER, Operation.READ, THEIRS, 0, PAGE, 0),
                attempt("writes another's", Status.NOT_OWNER, Operation.WRITE, THEIRS, 0, PAGE, 9, page),
                attempt("trims another's", Status.NOT_OWNER, Operation.TRIM, THEIRS, 0, PAGE, 9),
                attempt("calls another's lost", Status.NOT_OWNER, Operation.LOSE, THEIRS, 0, PAGE, 9),
                attempt("frees another's", Status.NOT_OWNER, Operation.FREE, THEIRS, 0, 0, Long.MAX_VALUE),
                attempt("looks at another's marks", Status.NOT_OWNER, Operation.PAGES, THEIRS, 0, 1 << 18, 0),
                attempt(
                        "places another's as filling",
                        Status.NOT_OWNER,
                        Operation.PLACE,
                        THEIRS,
                        0,
                        0,
                        generation,
                        filling()),
                attempt("guesses a handle", Status.NOT_OWNER, Operation.READ, 0x7fffffff, 0, PAGE, 0),
                attempt("guesses a negative handle", Status.NOT_OWNER, Operation.READ, -1, 0, PAGE, 0),
                attempt("exposes over TCP", Status.BAD_REQUEST, Operation.EXPOSE, THEIRS, 0, 0, 0),
                attempt("writes with version 0", Status.BAD_REQUEST, Operation.WRITE, OWN, 0, PAGE, 0, page),
                attempt("writes with version -1", Status.BAD_REQUEST, Operation.WRITE, OWN, 0, PAGE, -1, page),
                attempt("writes with 2^63-1", Status.BAD_REQUEST, Operation.WRITE, OWN, 0, PAGE, Long.MAX_VALUE, page),
                attempt("writes with 2^60+1", Status.BAD_REQUEST, Operation.WRITE, OWN, 0, PAGE, (1L << 60) + 1, page),
                attempt("writes with -2^63", Status.BAD_REQUEST, Operation.WRITE, OWN, 0, PAGE, Long.MIN_VALUE, page),
                attempt("trims with 2^63-1", Status.BAD_REQUEST, Operation.TRIM, OWN, 0, PAGE, Long.MAX_VALUE),
                attempt("loses half a page", Status.BAD_REQUEST, Operation.LOSE, OWN, 100, PAGE, 9),
                attempt("grants index -1", Status.BAD_REQUEST, Operation.GRANT, -1, 0, 0, generation),
                attempt("grants version -1", Status.BAD_REQUEST, Operation.GRANT, 5, 0, 0, -1),
                attempt("grants version 2^63-1", Status.OK, Operation.GRANT, 5, 0, 0, Long.MAX_VALUE),
                attempt("grants index 2^31-1", Status.OK, Operation.GRANT, Integer.MAX_VALUE, 0, 0, generation),
                attempt("frees with -1", Status.BAD_REQUEST, Operation.FREE, OWN, 0, 0, -1),
                attempt("notes version -1", Status.BAD_REQUEST, Operation.NOTE, 0, 0, 0, -1, (byte) 1),
                attempt("notes version 2^63-1", Status.OK, Operation.NOTE, 0, 0, 0, Long.MAX_VALUE, (byte) 1),
                attempt("places no names", Status.BAD_REQUEST, Operation.PLACE, OWN, 0, 0, generation, place(0)),
                attempt("places five names", Status.BAD_REQUEST, Operation.PLACE, OWN, 0, 0, generation, place(5)),
                attempt("places a name twice", Status.BAD_REQUEST, Operation.PLACE, OWN, 0, 0, generation, place(2)),
                attempt("places with -1", Status.BAD_REQUEST, Operation.PLACE, OWN, 0, 0, -1, filling()),
                attempt("lists from -1", Status.OK, Operation.LIST, -1, 0, 0, 0),
                attempt("lists from 2^31-1", Status.OK, Operation.LIST, Integer.MAX_VALUE, 0, 0, 0),
                attempt("reads before the beginning", Status.OUT_OF_RANGE, Operation.READ, OWN, -PAGE, PAGE, 0),
                attempt("reads over the end", Status.OUT_OF_RANGE, Operation.READ, OWN, TestDonor.SLAB - 1, 2, 0),
                attempt("reads far beyond", Status.OUT_OF_RANGE, Operation.READ, OWN, Integer.MAX_VALUE, PAGE, 0),
                attempt("reads 2 GiB", Status.BAD_REQUEST, Operation.READ, OWN, 0, Integer.MAX_VALUE, 0),
                attempt("reads less than nothing", Status.OUT_OF_RANGE, Operation.READ, OWN, 0, -1, 0),
                attempt("trims less than nothing", Status.OUT_OF_RANGE, Operation.TRIM, OWN, 0, -1, 9),
                attempt("trims 2 GiB", Status.OUT_OF_RANGE, Operation.TRIM, OWN, PAGE, Integer.MAX_VALUE, 9));
    }

    /** As filling, of one other slab. */
    private static byte[] filling() {
        byte[] body = place(1);
        body[0] = 1;
        // Reserved.
        ByteBuffer.wrap(body).putInt(2 + 20, 0);
        return body;
    }

    @ParameterizedTest(name = "{0}")
    @MethodSource("attempts")
    void anAttemptIsAnsweredAndDoesNoHarm(
            String what, byte status, byte operation, int slab, int offset, int length, long version, byte[] payload)
            throws Exception {
        try (RawLink hostile = RawLink.claim(donor.address(), "b", 2)) {
            int own = hostile.grant(0);
            int at = slab == THEIRS ? victims : slab == OWN ? own : slab;
            RawLink.Reply reply = hostile.ask(operation, at, offset, length, version, payload);
            assertThat(Status.name(reply.status())).isEqualTo(Status.name(status));
            if (operation == Operation.LIST) {
                // Nothing of others.
                assertThat(reply.payload().length).isLessThanOrEqualTo(8 + 20);
            }
            if (LinkRequests.ends(status, operation)) {
                assertThat(hostile.endsWithoutAWord()).isTrue();
            } else {
                assertThat(hostile.ask(Operation.PING, 0, 0, 0, 0).status()).isEqualTo(Status.OK);
            }
        }
        assertUnharmed();
    }

    @Test
    void frameLengthsOfGigabytesAreRefusedBeforeAnythingIsKept() throws Exception {
        for (byte operation : new byte[] {Operation.WRITE, Operation.GRANT, Operation.NOTE, Operation.PLACE, 99}) {
            for (int payload : new int[] {-1, Integer.MAX_VALUE, Integer.MIN_VALUE, Protocol.MAX_PAYLOAD + 1}) {
                try (RawLink hostile = RawLink.claim(donor.address(), "b", 2)) {
                    byte[] frame = RawLink.frame(operation, 1, 1, 0, payload, 5);
                    ByteBuffer.wrap(frame).putInt(20, payload);
                    hostile.send(frame);
                    assertThat(hostile.receive().status()).isEqualTo(Status.BAD_REQUEST);
                    assertThat(hostile.endsWithoutAWord()).isTrue();
                }
            }
        }
        assertUnharmed();
    }

    /** Without having seen the victim's numbers nobody takes its export: neither epoch nor contents are guessed together. */
    @Test
    void claimsAndJoinsThatGuessAreRefused() throws Exception {
        UUID zero = HelloReply.NONE;
        for (long epoch : new long[] {0, 1, 2, Long.MAX_VALUE}) {
            for (UUID content : new UUID[] {zero, new UUID(1, 1), new UUID(-1, -1)}) {
                try (RawLink hostile = new RawLink(donor.address())) {
                    boolean blank = !content.equals(zero);
                    RawLink.Reply reply = hostile.hello(Hellos.claim("a", blank, epoch, content, new UUID(5, 5), 2));
                    assertThat(reply.status()).isIn(Status.CONFLICT, Status.BAD_REQUEST);
                }
            }
            try (RawLink hostile = new RawLink(donor.address())) {
                RawLink.Reply reply = hostile.hello(Hello.join("a", 0, epoch, Hellos.instance(2)));
                assertThat(reply.status()).isEqualTo(epoch == 0 ? Status.BAD_REQUEST : Status.FENCED);
            }
        }
        assertUnharmed();
    }

    /** What is taken is one's own: nothing is left for the greedy one, and the other goes on with what it has. */
    @Test
    void aFloodOfGrantsEndsWithTheMemoryAndLeavesTheOthersSlabs() throws Exception {
        try (RawLink hostile = RawLink.claim(donor.address(), "b", 2)) {
            int granted = 0;
            for (int i = 0; i < 2_000; i++) {
                RawLink.Reply reply = hostile.ask(Operation.GRANT, i, 0, 0, Version.ofGrant(2, i));
                granted += reply.status() == Status.OK ? 1 : 0;
                assertThat(reply.status()).isIn(Status.OK, Status.NO_SPACE);
            }
            assertThat(granted).isEqualTo(5);
            assertUnharmed();
        }
    }

    /** Requests by a seed: {@code -Dleap.seed=… -Dleap.steps=10000000} for a night. */
    @Test
    void noRequestsAtRandomDoHarm() throws Exception {
        Random random = new Random(SEED);
        RawLink hostile = RawLink.claim(donor.address(), "b", 2);
        try {
            for (int step = 0; step < STEPS; step++) {
                byte operation = random.nextInt(20) == 0
                        ? (byte) random.nextInt(256)
                        : OPERATIONS[random.nextInt(OPERATIONS.length)];
                byte[] payload = new byte[payloadLength(operation, random)];
                random.nextBytes(payload);
                byte[] frame = RawLink.frame(
                        operation,
                        step,
                        number(random),
                        number(random),
                        operation == Operation.WRITE && random.nextInt(8) > 0 ? payload.length : number(random),
                        longNumber(random),
                        payload);
                boolean ended = false;
                try {
                    hostile.send(frame);
                    RawLink.Reply reply = hostile.receive();
                    ended = LinkRequests.ends(reply.status(), operation);
                } catch (SocketException e) {
                    ended = true;
                }
                if (ended) {
                    hostile.close();
                    hostile = RawLink.claim(donor.address(), "b", 2);
                }
                if (step % 100 == 0) {
                    assertUnharmed();
                }
            }
        } finally {
            hostile.close();
        }
        assertUnharmed();
        Await.until("only the victim is left", () -> donor.server.statistics().openLinks() == 1);
    }

    private static int payloadLength(byte operation, Random random) {
        return switch (operation) {
            case Operation.WRITE -> random.nextInt(3 * PAGE);
            case Operation.NOTE -> random.nextInt(Protocol.MAX_NOTE);
            case Operation.PLACE -> 2 + 32 * (1 + random.nextInt(4));
            case Operation.GRANT -> random.nextBoolean() ? 0 : TestDonor.SLAB / PAGE / Byte.SIZE;
            default -> random.nextInt(30) == 0 ? random.nextInt(100) : 0;
        };
    }

    private static int number(Random random) {
        return switch (random.nextInt(8)) {
            case 0 -> random.nextInt();
            case 1 -> Integer.MAX_VALUE - random.nextInt(2);
            case 2 -> -1 - random.nextInt(2);
            case 3 -> random.nextInt(256) * PAGE;
            default -> random.nextInt(12);
        };
    }

    private static long longNumber(Random random) {
        return switch (random.nextInt(8)) {
            case 0 -> random.nextLong();
            case 1 -> Long.MAX_VALUE - random.nextInt(2);
            case 2 -> -1 - random.nextInt(2);
            case 3 -> Version.ofGrant(1 + random.nextInt(4), random.nextInt(1000));
            default -> 1 + random.nextInt(5_000);
        };
    }
}
