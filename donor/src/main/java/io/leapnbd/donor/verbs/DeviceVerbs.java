package io.leapnbd.donor.verbs;

import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import io.leapnbd.donor.linux.NativeCalls;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SymbolLookup;
import java.lang.invoke.MethodHandle;

/** Devices, memory, and what is posted and completed: what {@code libibverbs} does. {@code man ibv_…} describes each. */
public final class DeviceVerbs {

    private final NativeCalls library;

    /** {@code ibv_get_cq_event}: called for every wake-up. */
    private final MethodHandle cqEvent;

    DeviceVerbs(NativeCalls library) {
        this.library = library;
        cqEvent = cqEventHandle();
    }

    @SuppressWarnings("restricted")
    private static MethodHandle cqEventHandle() {
        MemorySegment function =
                SymbolLookup.libraryLookup("libibverbs.so.1", Arena.global()).findOrThrow("ibv_get_cq_event");
        return Linker.nativeLinker()
                .downcallHandle(function, FunctionDescriptor.of(JAVA_INT, JAVA_LONG, JAVA_LONG, JAVA_LONG));
    }

    public long allocateDomain(long context) throws IOException {
        return Answers.pointer("ibv_alloc_pd", library.pointer("ibv_alloc_pd", context));
    }

    public int freeDomain(long domain) {
        return library.integer("ibv_dealloc_pd", domain);
    }

    public int domainHandle(long domain) {
        return NativeMemory.getInt(domain, VerbsLayout.PD, "handle");
    }

    public long createCompletionChannel(long context) throws IOException {
        long channel = Answers.pointer("ibv_create_comp_channel", library.pointer("ibv_create_comp_channel", context));
        Descriptors.unblock(descriptor(channel));
        return channel;
    }

    public int destroyCompletionChannel(long channel) {
        return library.integer("ibv_destroy_comp_channel", channel);
    }

    /** What to wait on until a completion channel has an event. */
    public static int descriptor(long completionChannel) {
        return NativeMemory.getInt(completionChannel, VerbsLayout.COMP_CHANNEL, "fd");
    }

    public long createCompletionQueue(long context, long channel, int entries, int vector) throws IOException {
        return Answers.pointer(
                "ibv_create_cq", library.pointer("ibv_create_cq", context, entries, 0L, channel, vector));
    }

    public int destroyCompletionQueue(long queue) {
        return library.integer("ibv_destroy_cq", queue);
    }

    /** Takes an event from a completion channel; false if there was none within {@code millis}. */
    public boolean nextCompletionEvent(long channel, int millis) {
        if (millis != 0 && !Descriptors.readable(descriptor(channel), millis)) {
            return false;
        }
        try {
            return (int) cqEvent.invokeExact(channel, ContextCalls.SCRATCH, ContextCalls.SCRATCH + Long.BYTES) == 0;
        } catch (Throwable e) {
            throw new AssertionError("ibv_get_cq_event through the linker", e);
        }
    }

    public void acknowledgeEvents(long queue, int events) {
        long _ = library.pointer("ibv_ack_cq_events", queue, events);
    }

    /**
     * Registers memory.
     *
     * @param localKey where the local key goes, an int; likewise the other two
     */
    public long register(long domain, long address, long length, int access, long localKey, long remoteKey, long handle)
            throws IOException {
        long region = Answers.pointer("ibv_reg_mr", library.pointer("ibv_reg_mr", domain, address, length, access));
        NativeMemory.putInt(localKey, NativeMemory.getInt(region, VerbsLayout.MR, "lkey"));
        NativeMemory.putInt(remoteKey, NativeMemory.getInt(region, VerbsLayout.MR, "rkey"));
        NativeMemory.putInt(handle, NativeMemory.getInt(region, VerbsLayout.MR, "handle"));
        return region;
    }

    public void deregister(long region) throws IOException {
        Answers.noError("ibv_dereg_mr", library.integer("ibv_dereg_mr", region));
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
            Answers.noError("ibv_query_device", library.integer("ibv_query_device", context, to.address()));
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

    NativeCalls library() {
        return library;
    }
}
