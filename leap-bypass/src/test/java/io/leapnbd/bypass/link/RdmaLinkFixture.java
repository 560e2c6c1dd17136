package io.leapnbd.bypass.link;

import static org.assertj.core.api.Assertions.assertThat;

import io.leapnbd.bypass.link.LinkRequest.Outcome;
import io.leapnbd.donor.protocol.Operation;
import java.time.Duration;

/** A link over RDMA, without a device. */
abstract class RdmaLinkFixture extends LinkFixture {

    private static final int ANY_PORT = 1;

    /** What the device's writes are said to be. */
    long stamp = 1;

    /** In the middle of the memory that reads may land in. */
    final LandingFrames landing = new LandingFrames(script.memory.slice(1 << 20, LandingFrames.BYTES));

    private final WriteWatch watch = new WriteWatch() {
        @Override
        public long stamp(long offset, int length) {
            return stamp;
        }

        @Override
        public boolean undisturbed(long offset, int length, long taken) {
            return stamp == taken;
        }
    };

    WriteWatch watch() {
        return watch;
    }

    @Override
    LinkTransport transport() {
        return transport(false);
    }

    LinkTransport transport(boolean busyPoll) {
        return transport("127.0.0.1", busyPoll);
    }

    LinkTransport transport(String host, boolean busyPoll) {
        DonorResolver resolver = new DonorResolver(new DonorAddress(DonorAddress.Transport.RDMA, host, ANY_PORT), loop);
        return of -> new RdmaSession(
                of, loop, resolver, script, Duration.ofSeconds(30), ScriptedDonor.SLAB_SIZE, watch, busyPoll, landing);
    }

    /** Reads a page by message, so that the key is there afterwards. */
    void learnKey(int slab) {
        ends(post(Operation.READ, slab, PAGE), Outcome.OK);
        until(() -> script.wire().operations().contains(Operation.EXPOSE));
        until(() -> true);
    }

    void assertRead(int slab) {
        for (int i = 0; i < PAGE; i++) {
            assertThat(script.memory.getByte(i)).isEqualTo((byte) slab);
        }
    }
}
