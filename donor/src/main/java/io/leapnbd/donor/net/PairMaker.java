package io.leapnbd.donor.net;

import io.leapnbd.donor.rdma.AcceptedPair;
import io.leapnbd.donor.rdma.FrameCounts;
import io.leapnbd.donor.rdma.QueuePair;
import java.io.IOException;

/** Makes a link's end of a connection over RDMA that is not accepted yet. */
@FunctionalInterface
interface PairMaker {

    /**
     * Makes it.
     *
     * @param most what it may have at a time
     * @param first what it begins with
     * @throws IOException if the device or the limit of locked memory does not permit it
     */
    AcceptedPair make(FrameCounts most, FrameCounts first, QueuePair.Completions completions) throws IOException;
}
