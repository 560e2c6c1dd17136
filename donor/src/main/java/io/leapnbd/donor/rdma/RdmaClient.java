package io.leapnbd.donor.rdma;

import com.ibm.disni.verbs.RdmaCm;
import com.ibm.disni.verbs.RdmaCmEvent;
import com.ibm.disni.verbs.RdmaCmId;
import com.ibm.disni.verbs.RdmaConnParam;
import com.ibm.disni.verbs.RdmaEventChannel;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.net.InetSocketAddress;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The connecting end: finds the way to a donor, makes the queue pair on the device that it leads over, and connects. Events are
 * taken when the descriptor is readable. For one thread.
 */
public final class RdmaClient implements RdmaConnection {

    private static final Logger LOG = LoggerFactory.getLogger(RdmaClient.class);

    private static final byte RETRIES = 7;

    private final String export;
    private final LocalMemory memory;
    private final Shape shape;
    private final int timeoutMillis;
    private final Events events;
    private final RdmaEventChannel channel;
    private final RdmaCmId id;
    private @Nullable QueuePair pair;
    private boolean closed;

    /**
     * Starts to connect.
     *
     * @param address an IPv4 one
     * @param export told to the donor in advance
     * @param memory where reads may land
     * @param timeoutMillis of each step
     */
    public RdmaClient(
            InetSocketAddress address, String export, LocalMemory memory, Shape shape, int timeoutMillis, Events events)
            throws IOException {
        this.export = export;
        this.memory = memory;
        this.shape = shape;
        this.timeoutMillis = timeoutMillis;
        this.events = events;
        channel = RdmaEventChannel.createEventChannel();
        boolean whole = false;
        RdmaCmId made = null;
        try {
            made = channel.createId(RdmaCm.RDMA_PS_TCP);
            made.resolveAddr(null, address, timeoutMillis);
            whole = true;
        } finally {
            if (!whole) {
                if (made != null) {
                    int _ = made.destroyId();
                }
                int _ = channel.destroyEventChannel();
            }
        }
        id = made;
    }

    @Override
    public int descriptor() {
        return Rdma.descriptor(channel);
    }

    @Override
    public void takeEvents(int millis) {
        int wait = millis;
        while (!closed) {
            try {
                RdmaCmEvent event = channel.getCmEvent(wait);
                if (event == null) {
                    return;
                }
                handle(RdmaCmEvent.EventType.values()[event.getEvent()]);
            } catch (IOException e) {
                events.disconnected(String.valueOf(e.getMessage()));
                return;
            }
            wait = 0;
        }
    }

    private void handle(RdmaCmEvent.EventType event) throws IOException {
        switch (event) {
            case RDMA_CM_EVENT_ADDR_RESOLVED -> id.resolveRoute(timeoutMillis);
            case RDMA_CM_EVENT_ROUTE_RESOLVED -> connect();
            case RDMA_CM_EVENT_ESTABLISHED -> events.connected();
            case RDMA_CM_EVENT_ADDR_ERROR, RDMA_CM_EVENT_ROUTE_ERROR ->
                events.disconnected("no RDMA device of this machine leads there");
            case RDMA_CM_EVENT_UNREACHABLE, RDMA_CM_EVENT_CONNECT_ERROR -> events.disconnected("cannot be reached");
            case RDMA_CM_EVENT_REJECTED ->
                events.disconnected("connection refused; does a donor listen over RDMA there?");
            case RDMA_CM_EVENT_DISCONNECTED -> events.disconnected("closed the connection");
            case RDMA_CM_EVENT_DEVICE_REMOVAL -> events.disconnected("the RDMA device was removed");
            default -> LOG.debug("connection event {}", event);
        }
    }

    private void connect() throws IOException {
        LocalMemory.OnDevice here = memory.on(id.getVerbs());
        int reads = Math.clamp(Rdma.readsInFlight(id.getVerbs()), 1, shape.mostReads);
        FrameCounts counts = new FrameCounts(reads, shape.sends, shape.receives, shape.frameBytes);
        QueuePair made = new QueuePair(id, here.domain, counts, counts, events);
        pair = made;
        events.made(made, here.keys, reads);
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment data = arena.allocate(Announcement.LENGTH, Long.BYTES);
            Announcement.encode(export, data.asByteBuffer());
            RdmaConnParam parameters = new RdmaConnParam();
            parameters.setPrivate_data(data.address());
            parameters.setPrivate_data_len((byte) Announcement.LENGTH);
            parameters.setRetry_count(RETRIES);
            parameters.setRnr_retry_count(RETRIES);
            id.connect(parameters);
        }
    }

    @Override
    public void close() {
        if (closed) {
            return;
        }
        closed = true;
        try {
            QueuePair made = pair;
            if (made != null) {
                made.close();
            }
            int _ = id.destroyId();
            int _ = channel.destroyEventChannel();
        } catch (IOException e) {
            LOG.warn("an RDMA connection does not end as it should: {}", e.getMessage());
        }
    }

    /**
     * What a connection is made of.
     *
     * @param mostReads reads under way; fewer if the device cannot
     * @param sends messages that are not known to be sent
     * @param receives messages that may arrive before one is looked at
     * @param frameBytes of the longest message
     */
    public record Shape(int mostReads, int sends, int receives, int frameBytes) {}

    /** What is told, on the thread that takes the events. */
    public interface Events extends QueuePair.Completions {

        /**
         * The queue pair is there, not yet connected.
         *
         * @param memory where reads may land
         * @param reads slots for them
         */
        void made(Transfers transfers, MemoryKeys memory, int reads) throws IOException;

        /** Messages can be sent. */
        void connected();

        /** It is over, or never began; it is to be closed. */
        void disconnected(String why);
    }
}
