package io.leapnbd.bypass.link;

import io.leapnbd.bypass.spill.Spill;
import io.netty.channel.EventLoop;

/** The ways to a local file that is a member like a donor: docs/spill.md. */
public final class SpillConnector implements DonorConnector {

    private final Donor donor;
    private final Spill spill;

    /**
     * In front of a spill that has begun, which whoever opened it closes.
     *
     * @param donor of the spill's name, and of last resort
     */
    public SpillConnector(Donor donor, Spill spill) {
        this.donor = donor;
        this.spill = spill;
    }

    @Override
    public Donor donor() {
        return donor;
    }

    @Override
    public Conversation talk(String export) {
        return new LocalConversation(spill.store(), "the spill");
    }

    @Override
    public DonorLink link(EventLoop loop, int lane, LinkSettings settings, long requestTimeoutNanos) {
        SpillRequests pool = new SpillRequests(spill, loop);
        ReconnectingLink link = new ReconnectingLink(
                loop,
                lane,
                donor,
                of -> new SpillSession(of, pool, settings.connectTimeout()),
                settings,
                requestTimeoutNanos);
        link.connect();
        return link;
    }
}
