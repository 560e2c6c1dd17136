package io.leapnbd.donor.verbs;

import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;
import static java.lang.foreign.ValueLayout.JAVA_SHORT;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SymbolLookup;
import java.lang.invoke.MethodHandle;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import org.jspecify.annotations.Nullable;

/**
 * The verbs: objects are the addresses of the library's structures. Whoever holds an address has to know that its object still
 * is; a wrong one ends the process. {@code man ibv_…} and {@code man rdma_…} describe each.
 */
public final class Verbs {

    /** What to install on a Debian or Ubuntu machine. */
    public static final String REMEDY = "apt-get install rdma-core ibverbs-providers librdmacm1 libibverbs1";

    private static final short POLLIN = 1;
    private static final int O_NONBLOCK = 04000;
    private static final int F_GETFL = 3;
    private static final int F_SETFL = 4;
    private static final int MOST_SGE = 4;
    private static final short RDMA_PS_TCP = 0x0106;

    private static final int CONNECT_REQUEST = 4;

    private static @Nullable Verbs loaded;

    /** Private data of connect requests that were not looked at yet, by id. */
    private final Map<Long, byte[]> announced = new ConcurrentHashMap<>();

    private final NativeCalls cm;
    private final NativeCalls ib;
    private final NativeCalls c;

    /** {@code ibv_get_cq_event}: called for every wake-up. */
    private final MethodHandle cqEvent;

    private Verbs() throws VerbsException {
        try {
            cm = NativeCalls.load("librdmacm.so.1");
            ib = NativeCalls.load("libibverbs.so.1");
        } catch (VerbsException e) {
            throw new VerbsException("RDMA is not possible here: " + e.getMessage() + "; " + REMEDY, e);
        }
        c = NativeCalls.system();
        cqEvent = cqEventHandle();
    }

    @SuppressWarnings("restricted")
    private static MethodHandle cqEventHandle() {
        MemorySegment function =
                SymbolLookup.libraryLookup("libibverbs.so.1", Arena.global()).findOrThrow("ibv_get_cq_event");
        return Linker.nativeLinker()
                .downcallHandle(function, FunctionDescriptor.of(JAVA_INT, JAVA_LONG, JAVA_LONG, JAVA_LONG));
    }

    /**
     * The libraries of this machine.
     *
     * @throws VerbsException if they are not installed
     */
    public static synchronized Verbs load() throws VerbsException {
        Verbs verbs = loaded;
        if (verbs == null) {
            verbs = new Verbs();
            loaded = verbs;
        }
        return verbs;
    }

    // Connections: librdmacm.

    public long createEventChannel() throws IOException {
        long channel = pointer("rdma_create_event_channel", cm.pointer("rdma_create_event_channel"));
        unblock(NativeMemory.getInt(channel, VerbsLayout.EVENT_CHANNEL, "fd"));
        return channel;
    }

    public void destroyEventChannel(long channel) {
        int _ = cm.integer("rdma_destroy_event_channel", channel);
    }

    public long createId(long channel) throws IOException {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment id = arena.allocate(JAVA_LONG);
            check("rdma_create_id", cm.integer("rdma_create_id", channel, id.address(), 0L, (int) RDMA_PS_TCP));
            return id.get(JAVA_LONG, 0);
        }
    }

    public int destroyId(long id) {
        return cm.integer("rdma_destroy_id", id);
    }

    public void bindAddress(long id, long address) throws IOException {
        check("rdma_bind_addr", cm.integer("rdma_bind_addr", id, address));
    }

    public void listen(long id, int backlog) throws IOException {
        check("rdma_listen", cm.integer("rdma_listen", id, backlog));
    }

    public void resolveAddress(long id, long source, long destination, int millis) throws IOException {
        check("rdma_resolve_addr", cm.integer("rdma_resolve_addr", id, source, destination, millis));
    }

    public void resolveRoute(long id, int millis) throws IOException {
        check("rdma_resolve_route", cm.integer("rdma_resolve_route", id, millis));
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
        if (!readable(NativeMemory.getInt(channel, VerbsLayout.EVENT_CHANNEL, "fd"), millis)) {
            return -1;
        }
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment to = arena.allocate(JAVA_LONG);
            if (cm.integer("rdma_get_cm_event", channel, to.address()) != 0) {
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
            int _ = cm.integer("rdma_ack_cm_event", event);
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
            check("rdma_connect", cm.integer("rdma_connect", id, parameters));
        }
    }

    public void accept(long id, int retries, int notReadyRetries) throws IOException {
        try (Arena arena = Arena.ofConfined()) {
            long parameters = parameters(arena, id, retries, notReadyRetries, 0, 0);
            check("rdma_accept", cm.integer("rdma_accept", id, parameters));
        }
    }

    private long parameters(Arena arena, long id, int retries, int notReadyRetries, long data, int length)
            throws IOException {
        int reads = Math.min(
                255,
                deviceLimits(NativeMemory.getLong(id, VerbsLayout.CM_ID, "verbs"))
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
        return cm.integer("rdma_disconnect", id);
    }

    public long createQueuePair(
            long id, long domain, long sendQueue, long receiveQueue, int type, int sends, int receives, int inline)
            throws IOException {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment to = queuePair(arena, sendQueue, receiveQueue, type, sends, receives, inline);
            check("rdma_create_qp", cm.integer("rdma_create_qp", id, domain, to.address()));
            return NativeMemory.getLong(id, VerbsLayout.CM_ID, "qp");
        }
    }

    MemorySegment queuePair(
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
        long _ = cm.pointer("rdma_destroy_qp", id);
        return 0;
    }

    public void destroyEndpoint(long id) {
        long _ = cm.pointer("rdma_destroy_ep", id);
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

    // Devices and memory: libibverbs.

    public long allocateDomain(long context) throws IOException {
        return pointer("ibv_alloc_pd", ib.pointer("ibv_alloc_pd", context));
    }

    public int freeDomain(long domain) {
        return ib.integer("ibv_dealloc_pd", domain);
    }

    public int domainHandle(long domain) {
        return NativeMemory.getInt(domain, VerbsLayout.PD, "handle");
    }

    public long createCompletionChannel(long context) throws IOException {
        long channel = pointer("ibv_create_comp_channel", ib.pointer("ibv_create_comp_channel", context));
        unblock(descriptor(channel));
        return channel;
    }

    public int destroyCompletionChannel(long channel) {
        return ib.integer("ibv_destroy_comp_channel", channel);
    }

    /** What to wait on until a completion channel has an event. */
    public static int descriptor(long completionChannel) {
        return NativeMemory.getInt(completionChannel, VerbsLayout.COMP_CHANNEL, "fd");
    }

    /** What to wait on until an event channel has an event. */
    public static int eventDescriptor(long eventChannel) {
        return NativeMemory.getInt(eventChannel, VerbsLayout.EVENT_CHANNEL, "fd");
    }

    public long createCompletionQueue(long context, long channel, int entries, int vector) throws IOException {
        return pointer("ibv_create_cq", ib.pointer("ibv_create_cq", context, entries, 0L, channel, vector));
    }

    public int destroyCompletionQueue(long queue) {
        return ib.integer("ibv_destroy_cq", queue);
    }

    /** Takes an event from a completion channel; false if there was none within {@code millis}. */
    public boolean nextCompletionEvent(long channel, int millis) {
        if (millis != 0 && !readable(descriptor(channel), millis)) {
            return false;
        }
        try {
            return (int) cqEvent.invokeExact(channel, ContextCalls.SCRATCH, ContextCalls.SCRATCH + Long.BYTES) == 0;
        } catch (Throwable e) {
            throw new AssertionError("ibv_get_cq_event through the linker", e);
        }
    }

    public void acknowledgeEvents(long queue, int events) {
        long _ = ib.pointer("ibv_ack_cq_events", queue, events);
    }

    /**
     * Registers memory.
     *
     * @param localKey where the local key goes, an int; likewise the other two
     */
    public long register(long domain, long address, long length, int access, long localKey, long remoteKey, long handle)
            throws IOException {
        long region = pointer("ibv_reg_mr", ib.pointer("ibv_reg_mr", domain, address, length, access));
        NativeMemory.putInt(localKey, NativeMemory.getInt(region, VerbsLayout.MR, "lkey"));
        NativeMemory.putInt(remoteKey, NativeMemory.getInt(region, VerbsLayout.MR, "rkey"));
        NativeMemory.putInt(handle, NativeMemory.getInt(region, VerbsLayout.MR, "handle"));
        return region;
    }

    public void deregister(long region) throws IOException {
        checkNumber("ibv_dereg_mr", ib.integer("ibv_dereg_mr", region));
    }

    public void postSend(long pair, long requests) throws IOException {
        int error = ContextCalls.postSend(pair, requests);
        if (error != 0) {
            throw new VerbsException("ibv_post_send failed with error " + error);
        }
    }

    public void postReceive(long pair, long requests) throws IOException {
        int error = ContextCalls.postReceive(pair, requests);
        if (error != 0) {
            throw new VerbsException("ibv_post_recv failed with error " + error);
        }
    }

    public int poll(long queue, int most, long completions) throws IOException {
        int count = ContextCalls.poll(queue, most, completions);
        if (count < 0) {
            throw new VerbsException("ibv_poll_cq failed with " + count);
        }
        return count;
    }

    public int requestNotification(long queue, int solicitedOnly) throws IOException {
        int error = ContextCalls.notify(queue, solicitedOnly);
        if (error != 0) {
            throw new VerbsException("ibv_req_notify_cq failed with error " + error);
        }
        return 0;
    }

    public int queuePairNumber(long pair) {
        return NativeMemory.getInt(pair, VerbsLayout.QP, "qp_num");
    }

    public int contextDescriptor(long context) {
        return NativeMemory.getInt(context, VerbsLayout.CONTEXT, "cmd_fd");
    }

    public int completionVectors(long context) {
        return NativeMemory.getInt(context, VerbsLayout.CONTEXT, "num_comp_vectors");
    }

    /** What a device can do. */
    public DeviceLimits deviceLimits(long context) throws IOException {
        try (Arena arena = Arena.ofConfined()) {
            // Larger than the structure, should a newer library write more.
            MemorySegment to = arena.allocate(VerbsLayout.DEVICE_ATTR.byteSize() * 4, Long.BYTES);
            checkNumber("ibv_query_device", ib.integer("ibv_query_device", context, to.address()));
            return new DeviceLimits(
                    NativeMemory.getLong(to, VerbsLayout.DEVICE_ATTR, "max_mr_size"),
                    NativeMemory.getInt(to, VerbsLayout.DEVICE_ATTR, "max_qp_wr"),
                    NativeMemory.getInt(to, VerbsLayout.DEVICE_ATTR, "max_cqe"),
                    Math.min(
                            NativeMemory.getInt(to, VerbsLayout.DEVICE_ATTR, "max_qp_rd_atom"),
                            NativeMemory.getInt(to, VerbsLayout.DEVICE_ATTR, "max_qp_init_rd_atom")));
        }
    }

    /**
     * What a device can do.
     *
     * @param regionBytes largest region of memory, unsigned
     * @param requests most work requests of a queue
     * @param completions most entries of a completion queue
     * @param readsInFlight reads that one queue pair can have under way
     */
    public record DeviceLimits(long regionBytes, int requests, int completions, int readsInFlight) {}

    NativeCalls verbsLibrary() {
        return ib;
    }

    NativeCalls systemLibrary() {
        return c;
    }

    /** Sets on which processors the calling thread runs; 0, or -1. */
    public static int setAffinity(long mask) {
        return affinity("sched_setaffinity", mask)[0] < 0 ? -1 : 0;
    }

    /** On which of the first 64 processors the calling thread may run. */
    public static long affinity() {
        return affinity("sched_getaffinity", 0)[1];
    }

    private static long[] affinity(String call, long mask) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment words = arena.allocate(JAVA_LONG, 16);
            words.set(JAVA_LONG, 0, mask);
            int result = NativeCalls.system().integer(call, 0, words.byteSize(), words.address());
            return new long[] {result, words.get(JAVA_LONG, 0)};
        }
    }

    private boolean readable(int descriptor, int millis) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment poll = arena.allocate(JAVA_INT, 2);
            poll.set(JAVA_INT, 0, descriptor);
            poll.set(JAVA_SHORT, 4, POLLIN);
            return c.integer("poll", poll.address(), 1L, millis) > 0;
        }
    }

    private void unblock(int descriptor) throws IOException {
        int flags = c.integer("fcntl", descriptor, F_GETFL, 0);
        check("fcntl", c.integer("fcntl", descriptor, F_SETFL, flags | O_NONBLOCK));
    }

    private static long pointer(String function, long answer) throws VerbsException {
        if (answer == 0) {
            throw failure(function, NativeCalls.lastError());
        }
        return answer;
    }

    private static void check(String function, int answer) throws VerbsException {
        if (answer < 0) {
            throw failure(function, NativeCalls.lastError());
        }
    }

    private static void checkNumber(String function, int answer) throws VerbsException {
        if (answer != 0) {
            throw failure(function, Math.abs(answer));
        }
    }

    private static VerbsException failure(String function, int error) {
        String why = switch (error) {
            case 1 -> "not permitted";
            case 2, 19 -> "no such device";
            case 11, 12 -> "out of memory, or above the limit of locked memory (ulimit -l)";
            case 98 -> "the address is in use";
            case 99 -> "no RDMA device has this address";
            default -> "error " + error;
        };
        return new VerbsException(function + ": " + why);
    }
}
