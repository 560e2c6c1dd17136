package io.leapnbd.bypass.link;

import io.leapnbd.donor.protocol.Hello;
import io.leapnbd.donor.protocol.HelloReply;
import io.leapnbd.donor.protocol.SlabList;
import io.leapnbd.donor.protocol.Status;
import io.leapnbd.donor.store.Admission;
import io.leapnbd.donor.store.Claim;
import io.leapnbd.donor.store.Listing;
import io.leapnbd.donor.store.SlabStore;
import io.netty.channel.EventLoop;
import java.io.IOException;
import org.jspecify.annotations.Nullable;

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
    public Conversation open(Hello hello) {
        return new LocalConversation(store, store.hello(hello));
    }

    @Override
    public DonorLink link(EventLoop loop, int lane, LinkSettings settings, long requestTimeoutNanos) {
        Admission admission =
                store.hello(settings.hello(lane), () -> donor.listener().fenced(donor));
        Claim claim = admission.claim();
        if (claim == null) {
            throw new IllegalStateException("the embedded donor refused: " + Status.name(admission.status()));
        }
        donor.met(store.incarnation(), store.totalSlabs(), store.freeSlabs());
        donor.linkUp(false);
        return new LocalLink(donor, store, claim);
    }

    private record LocalConversation(SlabStore store, Admission admission) implements Conversation {

        @Override
        public @Nullable HelloReply reply() {
            return admission.reply();
        }

        @Override
        public byte status() {
            return admission.status();
        }

        @Override
        public SlabList list(int from, HelloReply accepted) throws IOException {
            Listing listing = store.list(claim(), from);
            if (listing.status() != Status.OK) {
                throw new IOException("the embedded donor refused: " + Status.name(listing.status()));
            }
            return listing.slabs();
        }

        @Override
        public void free(int handle) throws IOException {
            byte status = store.free(claim(), handle);
            if (status != Status.OK) {
                throw new IOException("the embedded donor refused: " + Status.name(status));
            }
        }

        @Override
        public void close() {
            Claim claim = admission.claim();
            if (claim != null) {
                claim.close();
            }
        }

        private Claim claim() throws IOException {
            Claim claim = admission.claim();
            if (claim == null) {
                throw new IOException("the embedded donor refused: " + Status.name(admission.status()));
            }
            return claim;
        }
    }
}
