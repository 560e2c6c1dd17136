package io.leapnbd.donor.verbs;

import static java.lang.foreign.ValueLayout.JAVA_LONG;

import io.leapnbd.donor.linux.NativeCalls;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;

/** Connections: what {@code librdmacm} does. {@code man rdma_…} describes each. */
public final class ConnectionVerbs {

    private static final int MOST_SGE = 4;
    private static final short RDMA_PS_TCP = 0x0106;
    private static final int CONNECT_REQUEST = 4;

    /** Private data of connect requests that were not looked at yet, by id. */
    private final Map<Long, byte[]> announced = new ConcurrentHashMap<>();

    private final NativeCalls library;
    private final DeviceVerbs devices;

    ConnectionVerbs(NativeCalls library, DeviceVerbs devices) {
        this.library = library;
        this.devices = devices;
    }

    public long createEventChannel() throws IOException {
        long channel = Answers.pointer("rdma_create_event_channel", library.pointer("rdma_create_event_channel"));
        Descriptors.unblock(NativeMemory.getInt(channel, VerbsLayout.EVENT_CHANNEL, "fd"));
        return channel;
    }

    public void destroyEventChannel(long channel) {
        int _ = library.integer("rdma_destroy_event_channel", channel);
    }

    public long createId(long channel) throws IOException {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment id = arena.allocate(JAVA_LONG);
            Answers.notNegative(
                    "rdma_create_id", library.integer("rdma_create_id", channel, id.address(), 0L, (int) RDMA_PS_TCP));
            return id.get(JAVA_LONG, 0);
        }
    }

    public int destroyId(long id) {
        return library.integer("rdma_destroy_id", id);
    }

    public void bindAddress(long id, long address) throws IOException {
        Answers.notNegative("rdma_bind_addr", library.integer("rdma_bind_addr", id, address));
    }

    public void listen(long id, int backlog) throws IOException {
        Answers.notNegative("rdma_listen", library.integer("rdma_listen", id, backlog));
    }

    public void resolveAddress(long id, long source, long destination, int millis) throws IOException {
        Answers.notNegative("rdma_resolve_addr", library.integer("rdma_resolve_addr", id, source, destination, millis));
    }

    public void resolveRoute(long id, int millis) throws IOException {
        Answers.notNegative("rdma_resolve_route", library.integer("rdma_resolve_route", id, millis));
    }

    /**
     * Takes the next event of a channel, and acknowledges it.
     *
     * @param listenId where the listening id goes; -1 if there is none
     * @param id likewise, of the id that it is about
     * @param millis how long to wait; negative for ever
     * @return the kind of event; -1 if there was none
     */
    public int nextEvent(long channel, long listenId, long id, int millis) {
        if (!Descriptors.readable(NativeMemory.getInt(channel, VerbsLayout.EVENT_CHANNEL, "fd"), millis)) {
            return -1;
        }
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment to = arena.allocate(JAVA_LONG);
            if (library.integer("rdma_get_cm_event", channel, to.address()) != 0) {
                return -1;
            }
            long event = to.get(JAVA_LONG, 0);
            int kind = NativeMemory.getInt(event, VerbsLayout.CM_EVENT, "event");
            long about = NativeMemory.getLong(event, VerbsLayout.CM_EVENT, "id");
            long listening = NativeMemory.getLong(event, VerbsLayout.CM_EVENT, "listen_id");
            if (kind == CONNECT_REQUEST) {
                takeNote(event, about);
            }
            NativeMemory.putLong(listenId, listening == 0 ? -1 : listening);
            NativeMemory.putLong(id, about == 0 ? -1 : about);
            int _ = library.integer("rdma_ack_cm_event", event);
            return kind;
        }
    }

    private void takeNote(long event, long id) {
        int length = NativeMemory.getInt(event, VerbsLayout.CM_EVENT, "private_data_len") & 0xff;
        byte[] data = new byte[length];
        if (length > 0) {
            NativeMemory.copyOut(NativeMemory.getLong(event, VerbsLayout.CM_EVENT, "private_data"), data);
        }
        announced.put(id, data);
    }

    /** What the peer of a connect request has sent along, once; DiSNI has no place for it. Empty if nothing is known. */
    public byte[] takePrivateData(long id) {
        byte[] data = announced.remove(id);
        return data == null ? new byte[0] : data;
    }

    public void connect(long id, int retries, int notReadyRetries, long privateData, int privateLength)
            throws IOException {
        try (Arena arena = Arena.ofConfined()) {
            long parameters = parameters(arena, id, retries, notReadyRetries, privateData, privateLength);
            Answers.notNegative("rdma_connect", library.integer("rdma_connect", id, parameters));
        }
    }

    public void accept(long id, int retries, int notReadyRetries) throws IOException {
        try (Arena arena = Arena.ofConfined()) {
            long parameters = parameters(arena, id, retries, notReadyRetries, 0, 0);
            Answers.notNegative("rdma_accept", library.integer("rdma_accept", id, parameters));
        }
    }

    private long parameters(Arena arena, long id, int retries, int notReadyRetries, long data, int length)
            throws IOException {
        int reads = Math.min(
                255,
                devices.deviceLimits(NativeMemory.getLong(id, VerbsLayout.CM_ID, "verbs"))
                        .readsInFlight());
        MemorySegment to = arena.allocate(VerbsLayout.CONN_PARAM);
        NativeMemory.set(to, VerbsLayout.CONN_PARAM, "private_data", data);
        NativeMemory.set(to, VerbsLayout.CONN_PARAM, "private_data_len", (byte) length);
        NativeMemory.set(to, VerbsLayout.CONN_PARAM, "responder_resources", (byte) reads);
        NativeMemory.set(to, VerbsLayout.CONN_PARAM, "initiator_depth", (byte) reads);
        NativeMemory.set(to, VerbsLayout.CONN_PARAM, "retry_count", (byte) retries);
        NativeMemory.set(to, VerbsLayout.CONN_PARAM, "rnr_retry_count", (byte) notReadyRetries);
        return to.address();
    }

    /** Stops the queue pair, and tells the peer. */
    public int disconnect(long id) {
        return library.integer("rdma_disconnect", id);
    }

    public long createQueuePair(
            long id, long domain, long sendQueue, long receiveQueue, int type, int sends, int receives, int inline)
            throws IOException {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment to = queuePair(arena, sendQueue, receiveQueue, type, sends, receives, inline);
            Answers.notNegative("rdma_create_qp", library.integer("rdma_create_qp", id, domain, to.address()));
            return NativeMemory.getLong(id, VerbsLayout.CM_ID, "qp");
        }
    }

    static MemorySegment queuePair(
            Arena arena, long sendQueue, long receiveQueue, int type, int sends, int receives, int inline) {
        MemorySegment to = arena.allocate(VerbsLayout.QP_INIT_ATTR);
        NativeMemory.set(to, VerbsLayout.QP_INIT_ATTR, "send_cq", sendQueue);
        NativeMemory.set(to, VerbsLayout.QP_INIT_ATTR, "recv_cq", receiveQueue);
        NativeMemory.set(to, VerbsLayout.QP_INIT_ATTR, "max_send_wr", sends);
        NativeMemory.set(to, VerbsLayout.QP_INIT_ATTR, "max_recv_wr", receives);
        NativeMemory.set(to, VerbsLayout.QP_INIT_ATTR, "max_send_sge", MOST_SGE);
        NativeMemory.set(to, VerbsLayout.QP_INIT_ATTR, "max_recv_sge", MOST_SGE);
        NativeMemory.set(to, VerbsLayout.QP_INIT_ATTR, "max_inline_data", inline);
        NativeMemory.set(to, VerbsLayout.QP_INIT_ATTR, "qp_type", type);
        return to;
    }

    public int destroyQueuePair(long id) {
        if (NativeMemory.getLong(id, VerbsLayout.CM_ID, "qp") == 0) {
            return -1;
        }
        long _ = library.pointer("rdma_destroy_qp", id);
        return 0;
    }

    public void destroyEndpoint(long id) {
        long _ = library.pointer("rdma_destroy_ep", id);
    }

    /** Copies an id's own IPv4 address, a {@code sockaddr_in}, to {@code to}. */
    public void sourceAddress(long id, long to) {
        copyAddress(id, "src_addr", to);
    }

    /** Likewise of its peer. */
    public void destinationAddress(long id, long to) {
        copyAddress(id, "dst_addr", to);
    }

    private static void copyAddress(long id, String which, long to) {
        NativeMemory.copy(id + VerbsLayout.offset(VerbsLayout.CM_ID, which), to, VerbsLayout.addressSize());
    }

    /** The device that an id was bound to; -1 if it is not yet. */
    public long context(long id) {
        long context = NativeMemory.getLong(id, VerbsLayout.CM_ID, "verbs");
        return context == 0 ? -1 : context;
    }

    /** What to wait on until an event channel has an event. */
    public static int descriptor(long eventChannel) {
        return NativeMemory.getInt(eventChannel, VerbsLayout.EVENT_CHANNEL, "fd");
    }
}
