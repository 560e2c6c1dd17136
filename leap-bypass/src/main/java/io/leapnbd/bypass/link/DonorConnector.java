package io.leapnbd.bypass.link;

import io.netty.channel.EventLoop;
import java.io.IOException;

/** The ways to one donor: a conversation at start, and a link for each event loop. One implementation a transport. */
public interface DonorConnector {

    /** The donor behind it. */
    Donor donor();

    /**
     * Connects, to be asked one thing after the other. Blocks.
     *
     * @param export that will be talked about
     * @throws IOException if the donor cannot be reached
     */
    Conversation talk(String export) throws IOException;

    /** Opens the link of one loop. On that loop. */
    DonorLink link(EventLoop loop, int lane, LinkSettings settings, long requestTimeoutNanos);
}
