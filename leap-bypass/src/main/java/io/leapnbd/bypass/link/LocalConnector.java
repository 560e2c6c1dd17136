package io.leapnbd.bypass.link;

import io.leapnbd.donor.protocol.Hello;
import io.leapnbd.donor.protocol.PageMarks;
import io.leapnbd.donor.protocol.SlabCopies;
import io.leapnbd.donor.protocol.SlabList;
import io.leapnbd.donor.protocol.Status;
import io.leapnbd.donor.store.Admission;
import io.leapnbd.donor.store.Claim;
import io.leapnbd.donor.store.Listing;
import io.leapnbd.donor.store.MarkedPages;
import io.leapnbd.donor.store.SlabStore;
import io.netty.channel.EventLoop;
import java.io.IOException;
import java.nio.ByteBuffer;
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
    public Conversation talk(String export) {
        return new LocalConversation(store);
    }

    @Override
    public DonorLink link(EventLoop loop, int lane, LinkSettings settings, long requestTimeoutNanos) {
        ReconnectingLink link = new ReconnectingLink(
                loop, lane, donor, of -> new LocalSession(of, loop, store), settings, requestTimeoutNanos);
        link.connect();
        return link;
    }

    /** Method calls. */
    private static final class LocalConversation implements Conversation {

        private final SlabStore store;
        private @Nullable Claim claim;

        LocalConversation(SlabStore store) {
            this.store = store;
        }

        @Override
        public Greeted hello(Hello hello) {
            close();
            Admission admission = store.hello(hello);
            claim = admission.claim();
            return new Greeted(admission.status(), admission.reply());
        }

        @Override
        public void list(SlabSink sink) throws IOException {
            int from = 0;
            while (true) {
                Listing listing = store.list(claimed(), from);
                check(listing.status());
                SlabList slabs = listing.slabs();
                for (int i = 0; i < slabs.size(); i++) {
                    sink.on(
                            slabs.index(i),
                            slabs.handle(i),
                            slabs.grantVersion(i),
                            slabs.generation(i),
                            slabs.touched(i),
                            slabs.copies(i));
                }
                if (!slabs.more()) {
                    return;
                }
                from = slabs.index(slabs.size() - 1) + 1;
            }
        }

        @Override
        public PageMarks pages(int handle, int offset, int length) throws IOException {
            MarkedPages pages = store.pages(claimed(), handle, offset, length);
            check(pages.status());
            return pages.marks();
        }

        @Override
        public byte place(int handle, long generation, SlabCopies copies) throws IOException {
            return store.place(claimed(), handle, generation, copies);
        }

        @Override
        public byte free(int handle, long generation) throws IOException {
            return store.free(claimed(), handle, generation);
        }

        @Override
        public void note(ByteBuffer note, long version) throws IOException {
            check(store.note(claimed(), version, note));
        }

        @Override
        public void close() {
            Claim open = claim;
            claim = null;
            if (open != null) {
                open.close();
            }
        }

        private Claim claimed() throws IOException {
            Claim open = claim;
            if (open == null) {
                throw new IOException("the embedded donor has not accepted a hello");
            }
            return open;
        }

        private static void check(byte status) throws IOException {
            if (status != Status.OK) {
                throw new IOException("the embedded donor refused: " + Status.name(status));
            }
        }
    }
}
