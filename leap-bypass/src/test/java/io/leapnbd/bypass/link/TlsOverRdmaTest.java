package io.leapnbd.bypass.link;

import static org.assertj.core.api.Assertions.assertThat;

import io.leapnbd.bypass.Pool;
import io.leapnbd.donor.rdma.MemoryKeys;
import io.leapnbd.donor.rdma.RdmaConnection;
import io.leapnbd.donor.rdma.Transfers;
import io.leapnbd.donor.tls.LinkTls;
import io.leapnbd.donor.tls.MessageTls;
import io.leapnbd.donor.tls.PoolName;
import io.leapnbd.donor.tls.Role;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import java.io.IOException;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/**
 * In which order a handshake over RDMA goes. A test says when each message arrives, when each word that one has left comes, and when a
 * certificate was looked at. The wire below fails a test that touches a frame which is on its way.
 */
class TlsOverRdmaTest {

    private static final int MOST = 64 << 10;

    private final Pool pool = new Pool();
    private final BlockingQueue<Runnable> loop = new LinkedBlockingQueue<>();
    private final Wire wire = new Wire();
    private final Owner owner = new Owner();
    private final LinkTls tls;
    private final ScriptedTls donor;
    private final TlsOverRdma layer;

    TlsOverRdmaTest() throws Exception {
        tls = pool.server("web");
        donor = new ScriptedTls(pool.shows(pool.issue(Role.DONOR, "h1")));
        layer = new TlsOverRdma(tls, tls.messages(MOST), loop::add, owner);
    }

    @BeforeEach
    void connect() throws IOException {
        layer.over(wire);
        layer.made(wire, new MemoryKeys(List.of()), 1);
        layer.connected();
        assertThat(wire.sent).hasSize(1);
    }

    @AfterEach
    void close() {
        layer.close();
        tls.close();
    }

    /** What the donor says to the newest message of the server: one record after the other. */
    private List<ByteBuf> answer() {
        ByteBuf said = donor.shakes(wire.sent.getLast());
        List<ByteBuf> records = new ArrayList<>();
        while (said.isReadable()) {
            records.add(said.readRetainedSlice(5 + said.getUnsignedShort(said.readerIndex() + 3)));
        }
        assertThat(records).hasSizeGreaterThan(2);
        return records;
    }

    /** Certificates are looked at until the server says something. */
    private void goesOn() throws InterruptedException {
        while (wire.sent.size() == 1) {
            Runnable told = loop.poll(60, TimeUnit.SECONDS);
            assertThat(told).as("a certificate is looked at").isNotNull();
            told.run();
        }
    }

    /** All that was to be looked at until now is in {@link #loop}. */
    private void looked() throws Exception {
        CountDownLatch last = new CountDownLatch(1);
        try (MessageTls behind = tls.messages(MOST)) {
            behind.runTask(Runnable::run, last::countDown);
            assertThat(last.await(60, TimeUnit.SECONDS)).isTrue();
        }
    }

    /** What the donor says when it knows the server: tickets that nobody uses, and READY. */
    private List<ByteBuf> believes() {
        ByteBuf tickets = donor.shakes(wire.sent.getLast());
        assertThat(donor.known).isTrue();
        assertThat(tickets.isReadable()).isTrue();
        return List.of(tickets, donor.sealed(ScriptedTls.ready()));
    }

    private void assertOpens(int messages) {
        assertThat(wire.sent).hasSize(2);
        List<ByteBuf> more = believes();
        wire.left();
        more.forEach(wire::arrives);
        assertThat(owner.told).containsExactly("authenticating", "h1", "connected");
        // Each buffer once, in the order in which they were filled.
        assertThat(wire.given)
                .containsExactlyElementsOf(
                        IntStream.range(0, messages + more.size()).boxed().toList());
    }

    @Test
    void whatArrivesBeforeTheMessageThatItAnswersHasLeftWaitsForThat() throws Exception {
        List<ByteBuf> records = answer();
        records.forEach(wire::arrives);
        assertThat(wire.given).isEmpty();
        wire.left();
        goesOn();
        assertOpens(records.size());
    }

    @Test
    void whatArrivesWhileACertificateIsLookedAtWaitsForThat() throws Exception {
        wire.left();
        answer().forEach(wire::arrives);
        List<Integer> read = List.copyOf(wire.given);
        // From somebody on the wire, who begins a handshake anew.
        wire.arrives(wire.sent.getFirst());
        looked();
        assertThat(loop).as("looks").hasSize(1);
        assertThat(wire.given).isEqualTo(read);
        goesOn();
        assertThat(owner.told).containsExactly("authenticating");
        wire.left();
        assertThat(owner.told).hasSize(2).last().asString().startsWith("refused");
    }

    @Test
    void theDonorsWordThatComesBeforeTheLastMessageHasLeftIsHeardAfterThat() throws Exception {
        wire.left();
        List<ByteBuf> records = answer();
        records.forEach(wire::arrives);
        goesOn();
        believes().forEach(wire::arrives);
        assertThat(owner.told).containsExactly("authenticating");
        wire.left();
        assertThat(owner.told).containsExactly("authenticating", "h1", "connected");
        // From here on words of what has left are the owner's.
        wire.send(0, 1);
        wire.left();
        assertThat(owner.told).endsWith("sent 0");
    }

    @Test
    void whatIsRefusedIsToldWhenTheDonorHasHeardOfItAndNothingIsReadAfterIt() throws Exception {
        wire.left();
        List<ByteBuf> records = answer();
        Collections.swap(records, 0, 2);
        records.forEach(wire::arrives);
        assertThat(owner.told).containsExactly("authenticating");
        assertThat(wire.sent).hasSize(2);
        wire.left();
        assertThat(owner.told).hasSize(2).last().asString().startsWith("refused");
        assertThat(loop).isEmpty();
        assertThat(wire.sent).hasSize(2);
    }

    /** What was closed while its certificate is looked at has nothing to be told any more. */
    @Test
    void aConnectionThatIsClosedInBetweenIsNeitherReadNorTold() throws Exception {
        wire.left();
        answer().forEach(wire::arrives);
        int read = wire.given.size();
        looked();
        layer.close();
        loop.forEach(Runnable::run);
        assertThat(wire.given).hasSize(read);
        assertThat(wire.sent).hasSize(1);
        assertThat(owner.told).containsExactly("authenticating");
    }

    /** Frames of a connection, and what a test makes happen to them. */
    private final class Wire implements RdmaConnection, Transfers {

        private static final int FRAMES = 8;

        final List<ByteBuf> sent = new ArrayList<>();

        /** Receive buffers that may be filled again, in that order. */
        final List<Integer> given = new ArrayList<>();

        private final ByteBuf[] receives = new ByteBuf[FRAMES];
        private final ByteBuf send = Unpooled.buffer(MessageTls.sealedLength(MOST), MessageTls.sealedLength(MOST));
        private boolean leaving;
        private int filled;

        void arrives(ByteBuf message) {
            receives[filled] =
                    Unpooled.buffer(MOST, MOST).setBytes(0, message, message.readerIndex(), message.readableBytes());
            layer.received(filled++, message.readableBytes());
        }

        void left() {
            assertThat(leaving).isTrue();
            leaving = false;
            layer.sent(0);
        }

        @Override
        public ByteBuf sendFrame(int slot) {
            assertThat(leaving).as("the frame is on its way").isFalse();
            return send;
        }

        @Override
        public void send(int slot, int length) {
            assertThat(leaving).as("the frame is on its way").isFalse();
            leaving = true;
            sent.add(send.copy(0, length));
        }

        @Override
        public ByteBuf receiveFrame(int slot) {
            return receives[slot];
        }

        @Override
        public void receive(int slot) {
            given.add(slot);
        }

        @Override
        public void read(int slot, long to, int localKey, int length, long from, int remoteKey) {
            throw new AssertionError("nothing is read in a handshake");
        }

        @Override
        public int descriptor() {
            return -1;
        }

        @Override
        public void arm() {}

        @Override
        public void reapAfterEvent() {}

        @Override
        public boolean awaitCompletions(int millis) {
            return false;
        }

        @Override
        public int reap() {
            return 0;
        }

        @Override
        public void takeEvents(int millis) {}

        @Override
        public void close() {}
    }

    /** Writes down what it is told. */
    private static final class Owner implements RdmaPeerEvents {

        final List<String> told = new ArrayList<>();

        @Override
        public void made(Transfers transfers, MemoryKeys memory, int readSlots) {}

        @Override
        public void connected() {
            told.add("connected");
        }

        @Override
        public void authenticating() {
            told.add("authenticating");
        }

        @Override
        public void authenticated(PoolName donor) {
            told.add(donor.name());
        }

        @Override
        public void refused(String why) {
            told.add("refused: " + why);
        }

        @Override
        public void disconnected(@Nullable String why) {
            told.add("disconnected: " + why);
        }

        @Override
        public void failed(int status) {
            told.add("failed " + status);
        }

        @Override
        public void sent(int slot) {
            told.add("sent " + slot);
        }

        @Override
        public void received(int slot, int length) {
            told.add("received " + slot);
        }

        @Override
        public void readDone(int slot) {
            told.add("read " + slot);
        }
    }
}
