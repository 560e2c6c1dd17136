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
        return of -> new RdmaSession(of, loop, script, Duration.ofSeconds(30), ScriptedDonor.SLAB_SIZE, watch, false);
    }
}
