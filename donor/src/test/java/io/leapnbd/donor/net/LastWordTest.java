package io.leapnbd.donor.net;

import static org.assertj.core.api.Assertions.assertThat;

import io.leapnbd.donor.Await;
import io.leapnbd.donor.Hellos;
import io.leapnbd.donor.Pages;
import io.leapnbd.donor.protocol.HelloReply;
import io.leapnbd.donor.protocol.Operation;
import io.leapnbd.donor.protocol.Status;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.time.Duration;
import java.util.function.UnaryOperator;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/**
 * The fault: a take-over closed the old owner's links without a word, which looks like the end of the donor's process. A server that was cut off may
 * then claim the restarted donor, although another server had taken over. So only a process that has ended may leave a FIN without a word.
 */
class LastWordTest {

    private static final int SLAB = TestDonor.SLAB;
    private static final int READS = 300;

    private TestDonor donor = start(settings -> settings);

    private static TestDonor start(UnaryOperator<ServerSettings> change) {
        try {
            return new TestDonor(2, change);
        } catch (IOException e) {
            throw new AssertionError(e);
        }
    }

    private void startAnew(UnaryOperator<ServerSettings> change) {
        donor.close();
        donor = start(change);
    }

    @AfterEach
    void stop() {
        donor.close();
    }

    private static void assertFenced(RawLink link) throws IOException {
        RawLink.Reply word = link.receive();
        assertThat(word.operation()).isEqualTo(Operation.LAST_WORD);
        assertThat(word.status()).isEqualTo(Status.FENCED);
        assertThat(word.cookie()).isZero();
        assertThat(word.payload()).isEmpty();
        assertThat(link.endsInGoodOrder()).isTrue();
    }

    @Test
    void everyLinkOfAServerThatIsFencedIsToldSoBeforeItEnds() throws Exception {
        try (RawLink old = RawLink.claim(donor.address(), "a", 1);
                RawLink another = RawLink.claim(donor.address(), "a", 1);
                RawLink _ = RawLink.claim(donor.address(), "a", 2)) {
            assertFenced(old);
            assertFenced(another);
        }
    }

    @Test
    void theWordComesBehindRepliesOfWhichHalfWasWritten() throws Exception {
        startAnew(s -> s.withTimeouts(Duration.ofSeconds(20), Duration.ofSeconds(20), Duration.ofSeconds(60)));
        try (RawLink old = RawLink.claim(donor.address(), "a", 1)) {
            stall(old);
            try (RawLink _ = RawLink.claim(donor.address(), "a", 2)) {
                RawLink.Reply reply = old.receive();
                int whole = 0;
                while (reply.status() == Status.OK) {
                    assertThat(reply.operation()).isEqualTo(Operation.READ);
                    assertThat(reply.cookie()).isEqualTo(whole++);
                    assertThat(reply.payload()).hasSize(SLAB);
                    reply = old.receive();
                }
                assertThat(whole).isBetween(1, READS - 1);
                // Or the next read was answered so, if the link was about to go on.
                assertThat(reply.operation()).isIn(Operation.LAST_WORD, Operation.READ);
                assertThat(reply.status()).isEqualTo(Status.FENCED);
                assertThat(old.endsInGoodOrder()).isTrue();
            }
        }
    }

    @Test
    void aServerThatDoesNotReadItsWordIsReset() throws Exception {
        startAnew(s -> s.withTimeouts(Duration.ofSeconds(20), Duration.ofSeconds(20), Duration.ofMillis(200)));
        try (RawLink old = RawLink.claim(donor.address(), "a", 1)) {
            stall(old);
            try (RawLink _ = RawLink.claim(donor.address(), "a", 2)) {
                Await.until(
                        "the link is given up", () -> donor.server.statistics().openLinks() == 1);
                assertThat(old.drainsInGoodOrder()).isFalse();
            }
        }
    }

    @Test
    void aDonorThatEndsBeforeItsWordIsWrittenResetsTheLink() throws Exception {
        startAnew(s -> s.withTimeouts(Duration.ofSeconds(20), Duration.ofSeconds(20), Duration.ofSeconds(5)));
        try (RawLink old = RawLink.claim(donor.address(), "a", 1)) {
            stall(old);
            try (RawLink _ = RawLink.claim(donor.address(), "a", 2)) {
                // By an ordinary close of the socket, as the kernel closes it when the process is killed.
                donor.server.close();
                assertThat(old.drainsInGoodOrder()).isFalse();
            }
        }
    }

    @Test
    void aDonorThatEndsLeavesAFinThoughRequestsLieUnread() throws Exception {
        startAnew(s -> s.withTimeouts(Duration.ofSeconds(20), Duration.ofSeconds(20), Duration.ofSeconds(30)));
        try (RawLink link = RawLink.claim(donor.address(), "a", 1)) {
            stall(link);
            // The link is paused: these stay in the socket.
            for (int i = 0; i < READS; i++) {
                link.send(RawLink.frame(Operation.PING, i, 0, 0, 0, 0));
            }
            Thread closing = Thread.ofPlatform().start(() -> donor.close());
            assertThat(link.drainsInGoodOrder()).isTrue();
            closing.join();
        }
        donor = start(settings -> settings);
    }

    @Test
    void aLinkThatIsClosedByADeadlineIsReset() throws Exception {
        startAnew(s -> s.withTimeouts(Duration.ofSeconds(20), Duration.ofMillis(200), Duration.ofMillis(200)));
        try (RawLink silent = RawLink.claim(donor.address(), "a", 1)) {
            assertThat(silent.endsInGoodOrder()).isFalse();
        }
        startAnew(s -> s.withFrameTimeout(Duration.ofMillis(300)));
        try (RawLink half = RawLink.claim(donor.address(), "a", 1);
                RawLink stalled = RawLink.claim(donor.address(), "a", 1)) {
            half.send(new byte[] {Operation.PING});
            assertThat(half.endsInGoodOrder()).isFalse();
            stall(stalled);
            Await.until("it is given up", () -> donor.server.statistics().openLinks() == 0);
            assertThat(stalled.drainsInGoodOrder()).isFalse();
        }
    }

    @Test
    void aServerThatClaimsAnewIsNotToldThatItIsFenced() throws Exception {
        try (RawLink old = RawLink.claim(donor.address(), "a", 1);
                RawLink anew = new RawLink(donor.address())) {
            HelloReply found = anew.hello(Hellos.observe("a")).helloReply();
            assertThat(anew.hello(Hellos.claim("a", true, found.epoch(), found.content(), found.content(), 1))
                            .status())
                    .isEqualTo(Status.OK);
            assertThat(old.endsInGoodOrder()).isFalse();
        }
    }

    /** As the process is about to end, nobody may take over after a server has seen a link end. */
    @Test
    void aDonorThatIsAboutToEndAcceptsNeitherAClaimNorALastWord() throws Exception {
        try (RawLink old = RawLink.claim(donor.address(), "a", 1);
                RawLink young = new RawLink(donor.address())) {
            HelloReply found = young.hello(Hellos.observe("a")).helloReply();
            donor.store.admitNobody();
            assertThat(young.hello(Hellos.after(found, "a", 2)).status()).isEqualTo(Status.NO_SPACE);
            assertThat(old.ask(Operation.NOTE, 0, 0, 0, 1, (byte) 1).status()).isEqualTo(Status.NO_SPACE);
        }
    }

    /** Asks for more than the connection holds, and reads none of it. */
    private void stall(RawLink link) throws Exception {
        int handle = link.grant(0);
        assertThat(link.write(handle, 0, 1, Pages.array(1, SLAB))).isEqualTo(Status.OK);
        ByteArrayOutputStream burst = new ByteArrayOutputStream();
        for (int i = 0; i < READS; i++) {
            burst.write(RawLink.frame(Operation.READ, i, handle, 0, SLAB, 0));
        }
        link.send(burst.toByteArray());
        Await.until("the link is paused", () -> donor.server.statistics().pauses() > 0);
    }
}
