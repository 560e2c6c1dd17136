package io.leapnbd.bypass.link;

import io.leapnbd.donor.rdma.LocalMemory;
import io.leapnbd.donor.rdma.Rdma;
import io.leapnbd.donor.rdma.RdmaClient;
import io.leapnbd.donor.tls.LinkTls;
import io.netty.channel.EventLoop;
import io.netty.channel.IoEventLoop;
import java.io.IOException;
import java.time.Duration;
import java.util.concurrent.Executor;
import java.util.function.IntFunction;
import org.jspecify.annotations.Nullable;

/** A donor that is reached over RDMA. */
public final class RdmaConnector implements DonorConnector {

    /** The first queue pair of a process, on a slow machine, takes its time. */
    private static final Duration LEAST_TIMEOUT = Duration.ofSeconds(10);

    private final Donor donor;
    private final DonorAddress address;
    private final Duration timeout;
    private final LocalMemory memory;
    private final WriteWatch watch;
    private final boolean busyPoll;
    private final IntFunction<@Nullable LandingFrames> landing;
    private final @Nullable LinkTls tls;

    /**
     * Connects nothing yet.
     *
     * @param timeout how long a connection, and each answer of a conversation, may take; 10 s if that is more
     * @param memory where reads land; all of it has to be told before the first link
     * @param watch knows of the writes of all loops
     * @param busyPoll whether loops look for completions in every turn while something is under way, instead of being woken:
     *     faster, and a processor busy
     * @param landing the frames of a lane's loop, in that memory; null for one that has none
     * @param tls who the donor has to show to be, and who this server is; null for neither
     * @throws IOException if there is no RDMA on this machine, in one sentence that says what to do
     */
    public RdmaConnector(
            Donor donor,
            DonorAddress address,
            Duration timeout,
            LocalMemory memory,
            WriteWatch watch,
            boolean busyPoll,
            IntFunction<@Nullable LandingFrames> landing,
            @Nullable LinkTls tls)
            throws IOException {
        Rdma.require();
        this.donor = donor;
        this.address = address;
        this.timeout = timeout.compareTo(LEAST_TIMEOUT) > 0 ? timeout : LEAST_TIMEOUT;
        this.memory = memory;
        this.watch = watch;
        this.busyPoll = busyPoll;
        this.landing = landing;
        this.tls = tls;
    }

    @Override
    public Donor donor() {
        return donor;
    }

    @Override
    public DonorLink link(EventLoop loop, int lane, LinkSettings settings, long requestTimeoutNanos) {
        DonorResolver resolver = new DonorResolver(address, loop);
        RdmaDialer dialer = dialer(settings.export(), memory, loop);
        LandingFrames frames = landing.apply(lane);
        ReconnectingLink link = new ReconnectingLink(
                loop,
                lane,
                donor,
                of -> new RdmaSession(
                        of,
                        (IoEventLoop) loop,
                        resolver,
                        dialer,
                        timeout,
                        settings.slabSize(),
                        watch,
                        busyPoll,
                        frames),
                settings,
                requestTimeoutNanos);
        link.connect();
        return link;
    }

    @Override
    public Conversation talk(String export) throws IOException {
        LocalMemory none = new LocalMemory();
        return new ProtocolConversation(new RdmaExchange(
                dialer(export, none, null), address.resolveAll().getFirst(), timeout, none));
    }

    /**
     * The way to the donor.
     *
     * @param loop the thread of connections, if others wait for it
     */
    private RdmaDialer dialer(String export, LocalMemory reads, @Nullable Executor loop) {
        RdmaDialer plain =
                (to, shape, events) -> new RdmaClient(to, export, reads, shape, (int) timeout.toMillis(), events);
        LinkTls both = tls;
        return both == null ? plain : new TlsDialer(plain, both, loop);
    }
}
