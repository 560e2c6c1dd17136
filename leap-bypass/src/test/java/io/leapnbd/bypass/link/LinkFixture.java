package io.leapnbd.bypass.link;

import static org.assertj.core.api.Assertions.assertThat;

import io.leapnbd.bypass.link.LinkRequest.Outcome;
import io.leapnbd.donor.protocol.Operation;
import io.netty.channel.ManualIoEventLoop;
import io.netty.channel.epoll.EpollIoHandler;
import io.netty.util.concurrent.Future;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.UUID;
import java.util.concurrent.TimeUnit;
import java.util.function.BooleanSupplier;
import org.junit.jupiter.api.AfterEach;

/** A link on an event loop that the test itself runs, against a donor that follows a script. */
abstract class LinkFixture {

    static final int PAGE = 4096;
    static final long SECOND = TimeUnit.SECONDS.toNanos(1);
    static final long MINUTE = TimeUnit.MINUTES.toNanos(1);

    final ManualIoEventLoop loop = new ManualIoEventLoop(Thread.currentThread(), EpollIoHandler.newFactory());
    final ScriptedDonor script = new ScriptedDonor();
    final List<String> told = new ArrayList<>();

    /** Of each donor process that was lost, whether nobody else can have claimed there. */
    final List<Boolean> seen = new ArrayList<>();

    final Donor donor = new Donor("scripted", new IgnoringListener() {
        @Override
        public void donorLost(Donor d, UUID gone, UUID found, boolean seen) {
            told.add("restarted");
            LinkFixture.this.seen.add(seen);
        }

        @Override
        public void fenced(Donor d) {
            told.add("fenced");
        }
    });

    final List<LinkRequest> done = new ArrayList<>();
    final LinkSettings settings = new LinkSettings(
            "swap0",
            new UUID(1, 1),
            ScriptedDonor.CONTENT,
            1,
            new UUID(4, 4),
            "test",
            () -> ByteBuffer.allocate(0),
            _ -> false,
            ScriptedDonor.SLAB_SIZE,
            Duration.ofSeconds(30),
            1 << 20);

    ReconnectingLink link = link(of -> transport().session(of));

    /** How the donor is reached. */
    abstract LinkTransport transport();

    final ReconnectingLink link(LinkTransport way) {
        donor.stand(DonorStanding.claimed(script.incarnation, 1));
        return new ReconnectingLink(loop, 0, donor, way, settings, MINUTE);
    }

    @AfterEach
    void end() {
        link.close();
        Future<?> _ = loop.shutdownGracefully(0, 0, TimeUnit.NANOSECONDS);
        until(loop::isTerminated);
        script.memory.release();
    }

    /** Called before each turn of the loop. */
    void turn() {}

    void until(BooleanSupplier condition) {
        long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(30);
        do {
            turn();
            int _ = loop.run(TimeUnit.MILLISECONDS.toNanos(1), TimeUnit.MILLISECONDS.toNanos(5));
            assertThat(System.nanoTime() - deadline).as("condition").isNegative();
        } while (!condition.getAsBoolean());
    }

    void connect() {
        link.connect();
        until(link::ready);
    }

    LinkRequest request(byte operation, int slab, int length) {
        LinkRequest request = new LinkRequest();
        request.operation = operation;
        request.slab = slab;
        request.length = length;
        request.buffer = script.memory;
        request.startNanos = System.nanoTime();
        request.deadlineNanos = request.startNanos + MINUTE;
        request.completion = (ended, now) -> done.add(ended);
        return request;
    }

    LinkRequest post(byte operation, int slab, int length) {
        LinkRequest request = request(operation, slab, length);
        link.post(request);
        return request;
    }

    LinkRequest background(int slab) {
        LinkRequest request = request(Operation.READ, slab, PAGE);
        request.background = true;
        link.post(request);
        return request;
    }

    void ends(LinkRequest request, Outcome how) {
        until(() -> done.contains(request));
        assertThat(request.outcome).isEqualTo(how);
        assertThat(done.stream().filter(one -> one == request)).hasSize(1);
    }
}
