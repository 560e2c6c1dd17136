package io.leapnbd.donor.net;

import static io.leapnbd.donor.Pages.PAGE;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.leapnbd.donor.Await;
import io.leapnbd.donor.Hellos;
import io.leapnbd.donor.Pages;
import io.leapnbd.donor.protocol.Hello;
import io.leapnbd.donor.protocol.HelloReply;
import io.leapnbd.donor.protocol.Operation;
import io.leapnbd.donor.protocol.PageMarks;
import io.leapnbd.donor.protocol.Protocol;
import io.leapnbd.donor.protocol.SlabList;
import io.leapnbd.donor.protocol.Status;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.Arrays;
import java.util.HashSet;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

class DonorServerTest {

    private static final int SLAB = TestDonor.SLAB;

    private TestDonor donor;

    @BeforeEach
    void start() throws IOException {
        donor = new TestDonor(4);
    }

    @AfterEach
    void stop() {
        donor.close();
    }

    @Test
    void aHelloTellsWhatTheDonorHas() throws Exception {
        try (RawLink link = new RawLink(donor.address())) {
            RawLink.Reply reply = link.hello(Hellos.observe("a"));

            assertThat(reply.operation()).isEqualTo(Operation.HELLO);
            assertThat(reply.status()).isEqualTo(Status.OK);
            assertThat(reply.cookie()).isEqualTo(77);
            HelloReply body = reply.helloReply();
            assertThat(body.slabSize()).isEqualTo(SLAB);
            assertThat(body.incarnation()).isEqualTo(donor.store.incarnation());
            assertThat(body.epoch()).isZero();
            assertThat(body.content()).isEqualTo(HelloReply.NONE);
            assertThat(body.totalSlabs()).isEqualTo(4);
            assertThat(body.freeSlabs()).isEqualTo(4);
            assertThat(body.heldSlabs()).isZero();
            assertThat(body.maxInFlight()).isEqualTo(4096);
            assertThat(body.leaseSeconds()).isEqualTo(600);
        }
    }

    @Test
    void everyOperationWorksOverALink() throws Exception {
        try (RawLink link = RawLink.claim(donor.address(), "a", 1)) {
            int handle = link.grant(5);
            assertThat(link.read(handle, 0, 2 * PAGE)).isEqualTo(new byte[2 * PAGE]);
            byte[] bytes = Pages.array(1, 3 * PAGE);
            assertThat(link.write(handle, 100, 1, bytes)).isEqualTo(Status.OK);
            assertThat(link.read(handle, 100, bytes.length)).isEqualTo(bytes);

            assertThat(link.ask(Operation.TRIM, handle, 0, PAGE, link.version(2))
                            .status())
                    .isEqualTo(Status.OK);
            byte[] expected = new byte[PAGE + 100];
            System.arraycopy(bytes, PAGE - 100, expected, PAGE, 100);
            assertThat(link.read(handle, 0, PAGE + 100)).isEqualTo(expected);

            RawLink.Reply ping = link.ask(Operation.PING, 0, 0, 0, 0);
            assertThat(ping.status()).isEqualTo(Status.OK);
            assertThat(ping.freeSlabs()).isEqualTo(3);

            SlabList list = SlabList.decode(link.ask(Operation.LIST, 0, 0, 0, 0).body());
            assertThat(list.more()).isFalse();
            assertThat(list.size()).isEqualTo(1);
            assertThat(list.index(0)).isEqualTo(5);
            assertThat(list.handle(0)).isEqualTo(handle);
            assertThat(list.generation(0)).isEqualTo(link.grantVersion());
            PageMarks marks = PageMarks.decode(
                    link.ask(Operation.PAGES, handle, 0, SLAB, 0).body(), SLAB);
            assertThat(marks.writtenWord(0)).isEqualTo(0b1110);
            assertThat(link.ask(Operation.NOTE, 0, 0, 0, 1, (byte) 42).status()).isEqualTo(Status.OK);
            try (RawLink observer = new RawLink(donor.address())) {
                assertThat(observer.hello(Hellos.observe("a")).helloReply().note())
                        .isEqualTo(ByteBuffer.wrap(new byte[] {42}));
            }

            RawLink.Reply free = link.ask(Operation.FREE, handle, 0, 0, link.grantVersion());
            assertThat(free.status()).isEqualTo(Status.OK);
            assertThat(free.freeSlabs()).isEqualTo(4);
            assertThat(link.ask(Operation.READ, handle, 0, 1, 0).status()).isEqualTo(Status.NOT_OWNER);
        }
    }

    @Test
    void refusalsHaveNoPayloadAndLeaveTheLinkOpen() throws Exception {
        try (RawLink link = RawLink.claim(donor.address(), "a", 1)) {
            int handle = link.grant(0);
            for (int index = 1; index < 4; index++) {
                link.grant(index);
            }
            assertRefused(link.ask(Operation.GRANT, 9, 0, 0, link.grantVersion()), Status.NO_SPACE);
            assertRefused(link.ask(Operation.READ, handle, SLAB, 1, 0), Status.OUT_OF_RANGE);
            assertRefused(link.ask(Operation.READ, handle, -1, 1, 0), Status.OUT_OF_RANGE);
            assertRefused(link.ask(Operation.READ, handle, 0, -1, 0), Status.OUT_OF_RANGE);
            assertRefused(link.ask(Operation.TRIM, handle, 1, SLAB, link.version(1)), Status.OUT_OF_RANGE);
            assertRefused(
                    link.ask(Operation.WRITE, handle, SLAB - 1, 2, link.version(1), (byte) 1, (byte) 2),
                    Status.OUT_OF_RANGE);
            assertRefused(link.ask(Operation.READ, handle + 1000, 0, 1, 0), Status.NOT_OWNER);
            assertRefused(link.ask(Operation.FREE, 0, 0, 0, 1), Status.NOT_OWNER);
            assertThat(link.ask(Operation.PING, 0, 0, 0, 0).status()).isEqualTo(Status.OK);
        }
        try (RawLink observer = new RawLink(donor.address())) {
            assertThat(observer.hello(Hellos.observe("a")).helloReply().heldSlabs())
                    .isEqualTo(4);
            int handle = 4;
            byte[] requests = {
                Operation.GRANT,
                Operation.FREE,
                Operation.LIST,
                Operation.PAGES,
                Operation.NOTE,
                Operation.PLACE,
                Operation.READ,
                Operation.WRITE,
                Operation.TRIM
            };
            for (byte request : requests) {
                assertRefused(observer.ask(request, handle, 0, 0, 1), Status.NOT_CLAIMED);
            }
            assertThat(observer.ask(Operation.PING, 0, 0, 0, 0).status()).isEqualTo(Status.OK);
        }
    }

    private static void assertRefused(RawLink.Reply reply, byte status) {
        assertThat(Status.name(reply.status())).isEqualTo(Status.name(status));
        assertThat(reply.payload()).isEmpty();
    }

    @Test
    void pipelinedRequestsAreAllAnsweredHoweverTheBytesArrive() throws Exception {
        try (RawLink link = RawLink.claim(donor.address(), "a", 1)) {
            int handle = link.grant(0);
            ByteArrayOutputStream stream = new ByteArrayOutputStream();
            int pages = SLAB / PAGE;
            for (int page = 0; page < pages; page++) {
                stream.write(RawLink.frame(
                        Operation.WRITE, page, handle, page * PAGE, PAGE, link.version(page), Pages.array(page, PAGE)));
                stream.write(RawLink.frame(Operation.READ, pages + page, handle, page * PAGE, PAGE, 0));
            }
            byte[] bytes = stream.toByteArray();
            Thread sender = Thread.ofPlatform().start(() -> {
                try {
                    // Odd pieces, so that headers and payloads are cut everywhere.
                    for (int at = 0; at < bytes.length; at += 10_007) {
                        link.send(bytes, at, Math.min(10_007, bytes.length - at));
                    }
                } catch (IOException e) {
                    throw new AssertionError(e);
                }
            });
            Set<Integer> cookies = new HashSet<>();
            for (int i = 0; i < 2 * pages; i++) {
                RawLink.Reply reply = link.receive();
                assertThat(reply.status()).isEqualTo(Status.OK);
                assertThat(cookies.add(reply.cookie())).isTrue();
                if (reply.operation() == Operation.READ) {
                    assertThat(reply.payload()).isEqualTo(Pages.array(reply.cookie() - pages, PAGE));
                }
            }
            sender.join();
        }
    }

    @Test
    void theLargestPayloadsPassInBothDirections() throws Exception {
        try (RawLink link = RawLink.claim(donor.address(), "a", 1)) {
            int handle = link.grant(0);
            byte[] all = Pages.array(9, Protocol.MAX_PAYLOAD);
            assertThat(link.write(handle, 0, 1, all)).isEqualTo(Status.OK);
            assertThat(link.read(handle, 0, Protocol.MAX_PAYLOAD)).isEqualTo(all);
        }
    }

    @Test
    void aRequestThatComesByteByByteIsAnswered() throws Exception {
        try (RawLink link = RawLink.claim(donor.address(), "a", 1)) {
            int handle = link.grant(0);
            byte[] frame = RawLink.frame(Operation.WRITE, 1, handle, 0, 100, link.version(1), Pages.array(1, 100));
            for (byte one : frame) {
                link.send(new byte[] {one});
            }
            assertThat(link.receive().status()).isEqualTo(Status.OK);
            assertThat(link.read(handle, 0, 100)).isEqualTo(Pages.array(1, 100));
        }
    }

    @Test
    void aWriteWhoseConnectionBreaksHalfwayHasNoEffect() throws Exception {
        try (RawLink link = RawLink.claim(donor.address(), "a", 1);
                RawLink other = RawLink.claim(donor.address(), "a", 1)) {
            int handle = link.grant(0);
            byte[] before = Pages.array(1, 4 * PAGE);
            link.write(handle, 0, 1, before);
            byte[] frame =
                    RawLink.frame(Operation.WRITE, 1, handle, 0, 4 * PAGE, link.version(2), Pages.array(2, 4 * PAGE));
            link.send(frame, 0, frame.length - 1);
            link.socket.close();
            Await.until("the link is gone", () -> donor.server.statistics().openLinks() == 1);

            assertThat(other.read(handle, 0, 4 * PAGE)).isEqualTo(before);
        }
    }

    @Test
    void aReaderThatDoesNotReadIsSlowedNotBuffered() throws Exception {
        try (RawLink slow = RawLink.claim(donor.address(), "a", 1);
                RawLink other = RawLink.claim(donor.address(), "b", 1)) {
            int handle = slow.grant(0);
            slow.write(handle, 0, 1, Pages.array(1, SLAB));
            int reads = 300;
            ByteArrayOutputStream burst = new ByteArrayOutputStream();
            for (int i = 0; i < reads; i++) {
                burst.write(RawLink.frame(Operation.READ, i, handle, 0, SLAB, 0));
            }
            slow.send(burst.toByteArray());
            Await.until("the link is paused", () -> donor.server.statistics().pauses() > 0);
            // All requests have arrived in one receive buffer; without a limit 300 MiB of replies would be made.
            assertThat(donor.store.statistics().bytesRead()).isLessThan(64L * SLAB);
            // Meanwhile others are served.
            assertThat(other.ask(Operation.PING, 0, 0, 0, 0).status()).isEqualTo(Status.OK);

            byte[] expected = Pages.array(1, SLAB);
            for (int i = 0; i < reads; i++) {
                RawLink.Reply reply = slow.receive();
                assertThat(reply.cookie()).isEqualTo(i);
                assertThat(Arrays.equals(reply.payload(), expected)).isTrue();
            }
        }
    }

    @Test
    void anOlderLinkIsClosedWhenANewerServerClaims() throws Exception {
        try (RawLink old = RawLink.claim(donor.address(), "a", 1)) {
            int handle = old.grant(0);
            old.write(handle, 0, 1, Pages.array(1, PAGE));
            try (RawLink young = new RawLink(donor.address())) {
                HelloReply seen = young.hello(Hellos.observe("a")).helloReply();
                HelloReply found = young.hello(Hellos.after(seen, "a", 2)).helloReply();
                assertThat(found.epoch()).isEqualTo(2);
                assertThat(found.content()).isEqualTo(Hellos.CONTENT);
                assertThat(found.instance()).isEqualTo(Hellos.instance(1));
                assertThat(found.heldSlabs()).isEqualTo(1);

                assertThat(old.receive().status()).isEqualTo(Status.FENCED);
                assertThat(old.endsWithoutAWord()).isTrue();
                assertThat(donor.server.statistics().fencedOff()).isEqualTo(1);
                assertThat(young.read(handle, 0, PAGE)).isEqualTo(Pages.array(1, PAGE));
            }
        }
    }

    @Test
    void aRefusedHelloIsToldTheExportAndMayBeFollowedByAnother() throws Exception {
        RawLink.claim(donor.address(), "a", 1).close();
        RawLink.claim(donor.address(), "a", 2).close();
        try (RawLink again = new RawLink(donor.address())) {
            RawLink.Reply refused = again.hello(Hello.join("a", 0, 1, Hellos.instance(1)));
            assertThat(refused.status()).isEqualTo(Status.FENCED);
            assertThat(refused.helloReply().epoch()).isEqualTo(2);
            assertThat(refused.helloReply().instance()).isEqualTo(Hellos.instance(2));
            refused = again.hello(Hellos.claim("a", 1, Hellos.CONTENT, 1));
            assertThat(refused.status()).isEqualTo(Status.CONFLICT);
            assertThat(again.hello(Hellos.after(refused.helloReply(), "a", 1))
                            .helloReply()
                            .epoch())
                    .isEqualTo(3);
            assertThat(again.grant(0)).isPositive();
        }
    }

    @Test
    void aServerThatVanishesFindsItsPagesWithinTheLease() throws Exception {
        int handle;
        try (RawLink link = RawLink.claim(donor.address(), "a", 1)) {
            handle = link.grant(3);
            link.write(handle, 0, 1, Pages.array(1, PAGE));
        }
        awaitLease();
        donor.clock.addAndGet(TimeUnit.MINUTES.toNanos(10) - 1);
        try (RawLink next = RawLink.claim(donor.address(), "a", 2)) {
            assertThat(next.read(handle, 0, PAGE)).isEqualTo(Pages.array(1, PAGE));
        }
        awaitLease();
        donor.clock.addAndGet(TimeUnit.MINUTES.toNanos(10));
        try (RawLink late = new RawLink(donor.address())) {
            HelloReply found = late.hello(Hellos.observe("a")).helloReply();
            assertThat(found.epoch()).isEqualTo(2);
            assertThat(found.hasContent()).isFalse();
            assertThat(found.heldSlabs()).isZero();
            assertThat(late.hello(Hellos.after(found, "a", 3)).status()).isEqualTo(Status.OK);
            assertThat(late.ask(Operation.READ, handle, 0, 1, 0).status()).isEqualTo(Status.NOT_OWNER);
        }
    }

    private void awaitLease() {
        Await.until(
                "the export has no link",
                () -> donor.store.statistics().exports().getFirst().links() == 0);
    }

    @Test
    void aSilentLinkIsClosedAndItsLeaseBegins() throws Exception {
        try (TestDonor impatient = new TestDonor(
                        1,
                        s -> s.withTimeouts(Duration.ofSeconds(20), Duration.ofMillis(200), Duration.ofMillis(200)));
                RawLink link = RawLink.claim(impatient.address(), "a", 1)) {
            assertThat(link.endsWithoutAWord()).isTrue();
            assertThat(impatient.server.statistics().timeouts()).isEqualTo(1);
            Await.until(
                    "the export has no link",
                    () -> impatient.store.statistics().exports().getFirst().links() == 0);
        }
    }

    @Test
    void aConnectionWithoutAHelloIsClosed() throws Exception {
        try (TestDonor impatient = new TestDonor(
                        1,
                        s -> s.withTimeouts(Duration.ofMillis(200), Duration.ofSeconds(20), Duration.ofMillis(200)));
                RawLink mute = new RawLink(impatient.address());
                RawLink stuttering = new RawLink(impatient.address())) {
            byte[] hello = RawLink.frame(Hellos.claim("a", 1));
            stuttering.send(hello, 0, hello.length - 1);

            assertThat(mute.endsWithoutAWord()).isTrue();
            assertThat(stuttering.endsWithoutAWord()).isTrue();
        }
    }

    @Test
    void tooManyLinksAreTurnedAwayAndLaterOnesServed() throws Exception {
        try (TestDonor small = new TestDonor(1, s -> s.withMaxLinks(2))) {
            try (RawLink one = RawLink.claim(small.address(), "a", 1);
                    RawLink two = RawLink.claim(small.address(), "a", 1);
                    RawLink three = new RawLink(small.address())) {
                assertThat(three.endsWithoutAWord()).isTrue();
                assertThat(one.ask(Operation.PING, 0, 0, 0, 0).status()).isEqualTo(Status.OK);
                assertThat(two.ask(Operation.PING, 0, 0, 0, 0).status()).isEqualTo(Status.OK);
            }
            Await.until("both are gone", () -> small.server.statistics().openLinks() == 0);
            RawLink.claim(small.address(), "a", 1).close();
            assertThat(small.server.statistics().turnedAway()).isEqualTo(1);
        }
    }

    @Test
    void closingTheServerClosesItsLinksAndItsPort() throws Exception {
        TestDonor other = new TestDonor(1);
        try (RawLink link = RawLink.claim(other.address(), "a", 1)) {
            other.close();
            assertThat(link.endsWithoutAWord()).isTrue();
            assertThatThrownBy(() -> new RawLink(other.address())).isInstanceOf(IOException.class);
        }
    }

    @Test
    void aPortInUseIsSaidSo() {
        assertThatThrownBy(() -> DonorServer.start(donor.store, ServerSettings.listenOn(donor.address())))
                .isInstanceOf(IOException.class)
                .hasMessageContaining("cannot listen on");
    }

    @Test
    void aServerOfAnotherVersionIsTold() throws Exception {
        try (RawLink link = new RawLink(donor.address())) {
            // A hello of version 1, as its servers sent it.
            ByteBuf body = Unpooled.buffer();
            body.writeLong(Protocol.MAGIC)
                    .writeShort(1)
                    .writeShort(1)
                    .writeInt(0)
                    .writeLong(77);
            body.writeLong(1)
                    .writeLong(2)
                    .writeLong(3)
                    .writeLong(4)
                    .writeShort(1)
                    .writeByte('a');
            link.send(RawLink.frame(Operation.HELLO, 1, 0, 0, 0, 0, Pages.content(body)));
            RawLink.Reply reply = link.receive();
            assertThat(reply.status()).isEqualTo(Status.UNSUPPORTED_VERSION);
            assertThat(link.endsWithoutAWord()).isTrue();
        }
    }
}
