package io.leapnbd.bypass.link;

import io.leapnbd.donor.protocol.Hello;
import io.leapnbd.donor.protocol.HelloReply;
import io.leapnbd.donor.protocol.ProtocolException;
import io.leapnbd.donor.protocol.SlabList;
import io.netty.channel.EventLoop;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** The ways to one donor: a conversation at start, and a link for each event loop. One implementation a transport. */
public interface DonorConnector {

    /** The donor behind it. */
    Donor donor();

    /**
     * Says hello, with a claim or to observe. Blocks.
     *
     * @throws IOException if the donor cannot be reached or does not speak the protocol
     */
    Conversation open(Hello hello) throws IOException;

    /** Opens the link of one loop. On that loop. */
    DonorLink link(EventLoop loop, int lane, LinkSettings settings, long requestTimeoutNanos);

    /** Control requests, one at a time. Every method blocks. For one thread. */
    interface Conversation extends AutoCloseable {

        /** What the donor answered; null if it refused without telling. */
        @Nullable
        HelloReply reply();

        /** One of {@link io.leapnbd.donor.protocol.Status}: whether the hello, and with it the claim, was accepted. */
        byte status();

        /**
         * Asks once for slabs that the donor holds for the export: those from an index on, as many as it tells at a time.
         *
         * @param from an index of a slab, 0 or more
         * @param accepted {@link #reply}
         */
        SlabList list(int from, HelloReply accepted) throws IOException, ProtocolException;

        /** All slabs that the donor holds for the export. */
        default List<SlabList.Slab> list() throws IOException {
            HelloReply accepted = reply();
            if (accepted == null) {
                throw new IOException("the donor did not accept the hello");
            }
            List<SlabList.Slab> all = new ArrayList<>();
            int from = 0;
            while (true) {
                SlabList part;
                try {
                    part = list(from, accepted);
                } catch (ProtocolException e) {
                    throw new IOException(e.getMessage(), e);
                }
                all.addAll(part.slabs());
                if (!part.more()) {
                    return all;
                }
                int last = part.slabs().getLast().index();
                if (last < from) {
                    throw new IOException("the donor's slab list does not advance");
                }
                from = last + 1;
            }
        }

        /** Gives a slab back. */
        void free(int handle) throws IOException;

        @Override
        void close();
    }
}
