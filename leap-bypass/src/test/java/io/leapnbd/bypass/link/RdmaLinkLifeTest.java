package io.leapnbd.bypass.link;

import java.time.Duration;

/** Over RDMA, without a device, all of whose reads are messages. */
class RdmaLinkLifeTest extends LinkLifeTests {

    private final WriteWatch watch = new WriteWatch() {
        @Override
        public long stamp(long offset, int length) {
            return BUSY;
        }

        @Override
        public boolean undisturbed(long offset, int length, long taken) {
            return false;
        }
    };

    @Override
    LinkTransport transport() {
        DonorResolver resolver = new DonorResolver(new DonorAddress(DonorAddress.Transport.RDMA, "127.0.0.1", 1), loop);
        return of -> new RdmaSession(
                of, loop, resolver, script, Duration.ofSeconds(30), ScriptedDonor.SLAB_SIZE, watch, false, null);
    }
}
