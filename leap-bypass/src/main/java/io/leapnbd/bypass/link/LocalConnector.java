package io.leapnbd.bypass.link;

import io.leapnbd.donor.store.SlabStore;
import io.netty.channel.EventLoop;

/** A donor that lives in this very process. */
public final class LocalConnector implements DonorConnector {

    private final Donor donor;
    private final SlabStore store;

    /** In front of a store, which whoever opened it closes. */
    public LocalConnector(Donor donor, SlabStore store) {
        this.donor = donor;
        this.store = store;
    }

    @Override
    public Donor donor() {
        return donor;
    }

    @Override
    public Conversation talk(String export) {
        return new LocalConversation(store, "the embedded donor");
    }

    @Override
    public DonorLink link(EventLoop loop, int lane, LinkSettings settings, long requestTimeoutNanos) {
        ReconnectingLink link = new ReconnectingLink(
                loop, lane, donor, of -> new LocalSession(of, loop, store), settings, requestTimeoutNanos);
        link.connect();
        return link;
    }
}
