package io.leapnbd.donor.verbs;

import io.leapnbd.donor.linux.NativeCalls;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.StructLayout;
import java.lang.foreign.ValueLayout;

/**
 * Tries every layout on the running library, as far as that can be done without a peer: objects are made and their fields
 * compared with what is known of them, and a queue pair that is never connected is told to fail, so that a receive and a send
 * come back as completions.
 */
public final class VerbsCheck {

    private static final int RELIABLE = 2;
    private static final int INIT = 1;
    private static final int ERROR = 6;
    private static final int STATE = 1;
    private static final int TO_INIT = STATE | 1 << 3 | 1 << 4 | 1 << 5;
    private static final int FLUSHED = 5;
    private static final int LOCAL_WRITE = 1;
    private static final int SEND = 2;
    private static final int SIGNALED = 2;
    private static final long RECEIVED = 0x1eaf_0000_0000_0001L;
    private static final long SENT = 0x1eaf_0000_0000_0002L;
    private static final int ATTEMPTS = 2000;

    private static boolean passed;

    private final DeviceVerbs verbs;
    private final NativeCalls library;
    private final Arena arena;

    private VerbsCheck(DeviceVerbs verbs, Arena arena) {
        this.verbs = verbs;
        library = verbs.library();
        this.arena = arena;
    }

    /**
     * Checks once in the life of the process.
     *
     * @throws VerbsException if the library is not as it is known here, or there is no device
     */
    public static synchronized void run(Verbs verbs) throws VerbsException {
        if (passed) {
            return;
        }
        try (Arena arena = Arena.ofConfined()) {
            new VerbsCheck(verbs.devices(), arena).devices();
            passed = true;
        } catch (VerbsException e) {
            throw e;
        } catch (IOException e) {
            throw new VerbsException(String.valueOf(e.getMessage()), e);
        }
    }

    private void devices() throws IOException {
        MemorySegment count = arena.allocate(ValueLayout.JAVA_INT);
        long list = library.pointer("ibv_get_device_list", count.address());
        int devices = list == 0 ? 0 : count.get(ValueLayout.JAVA_INT, 0);
        if (devices == 0) {
            throw new VerbsException("no RDMA device can be used: is the package ibverbs-providers installed?");
        }
        try {
            long device = NativeMemory.getLong(list);
            long context = library.pointer("ibv_open_device", device);
            if (context == 0) {
                throw new VerbsException("the RDMA device cannot be opened: run as root, or see /dev/infiniband");
            }
            try {
                expect("ibv_context.device", NativeMemory.getLong(context, VerbsLayout.CONTEXT, "device"), device);
                context(context);
            } finally {
                ContextCalls.forget(context);
                int _ = library.integer("ibv_close_device", context);
            }
        } finally {
            long _ = library.pointer("ibv_free_device_list", list);
        }
    }

    private void context(long context) throws IOException {
        DeviceVerbs.DeviceLimits limits = verbs.deviceLimits(context);
        if (limits.requests() < 1 || limits.completions() < 1 || Long.compareUnsigned(limits.regionBytes(), 4096) < 0) {
            throw unknown("ibv_device_attr");
        }
        descriptor("ibv_context.cmd_fd", NativeMemory.getInt(context, VerbsLayout.CONTEXT, "cmd_fd"));
        descriptor("ibv_context.async_fd", NativeMemory.getInt(context, VerbsLayout.CONTEXT, "async_fd"));
        for (String function : new String[] {"poll_cq", "req_notify_cq", "post_send", "post_recv"}) {
            code("ibv_context.ops." + function, NativeMemory.getLong(context, VerbsLayout.CONTEXT, function));
        }
        long domain = verbs.allocateDomain(context);
        expect("ibv_pd.context", NativeMemory.getLong(domain, VerbsLayout.PD, "context"), context);
        long channel = verbs.createCompletionChannel(context);
        expect("ibv_comp_channel.context", NativeMemory.getLong(channel, VerbsLayout.COMP_CHANNEL, "context"), context);
        descriptor("ibv_comp_channel.fd", DeviceVerbs.descriptor(channel));
        long queue = verbs.createCompletionQueue(context, channel, 16, 0);
        expect("ibv_cq.context", NativeMemory.getLong(queue, VerbsLayout.CQ, "context"), context);
        expect("ibv_cq.channel", NativeMemory.getLong(queue, VerbsLayout.CQ, "channel"), channel);
        region(context, domain);
        completions(context, domain, queue);
        int _ = verbs.destroyCompletionQueue(queue);
        int _ = verbs.destroyCompletionChannel(channel);
        int _ = verbs.freeDomain(domain);
    }

    private void region(long context, long domain) throws IOException {
        MemorySegment memory = arena.allocate(8192, 4096);
        MemorySegment keys = arena.allocate(ValueLayout.JAVA_INT, 3);
        long at = keys.address();
        long region = verbs.register(domain, memory.address(), memory.byteSize(), LOCAL_WRITE, at, at + 4, at + 8);
        expect("ibv_mr.context", NativeMemory.getLong(region, VerbsLayout.MR, "context"), context);
        expect("ibv_mr.pd", NativeMemory.getLong(region, VerbsLayout.MR, "pd"), domain);
        expect("ibv_mr.addr", NativeMemory.getLong(region, VerbsLayout.MR, "addr"), memory.address());
        expect("ibv_mr.length", NativeMemory.getLong(region, VerbsLayout.MR, "length"), memory.byteSize());
        verbs.deregister(region);
    }

    /** A receive and a send of a queue pair that fails come back with their own numbers, and say that they were flushed. */
    private void completions(long context, long domain, long queue) throws IOException {
        MemorySegment attributes = ConnectionVerbs.queuePair(arena, queue, queue, RELIABLE, 4, 4, 0);
        long pair = library.pointer("ibv_create_qp", domain, attributes.address());
        if (pair == 0) {
            throw new VerbsException("the RDMA device makes no reliable queue pair");
        }
        expect("ibv_qp.context", NativeMemory.getLong(pair, VerbsLayout.QP, "context"), context);
        expect("ibv_qp.pd", NativeMemory.getLong(pair, VerbsLayout.QP, "pd"), domain);
        expect("ibv_qp.send_cq", NativeMemory.getLong(pair, VerbsLayout.QP, "send_cq"), queue);
        expect("ibv_qp.qp_type", NativeMemory.getInt(pair, VerbsLayout.QP, "qp_type"), RELIABLE);
        MemorySegment change = arena.allocate(VerbsLayout.QP_ATTR);
        NativeMemory.set(change, VerbsLayout.QP_ATTR, "qp_state", INIT);
        NativeMemory.set(change, VerbsLayout.QP_ATTR, "port_num", (byte) 1);
        modify(pair, change, TO_INIT);
        verbs.postReceive(pair, request(VerbsLayout.RECV_WR, RECEIVED).address());
        NativeMemory.set(change, VerbsLayout.QP_ATTR, "qp_state", ERROR);
        modify(pair, change, STATE);
        MemorySegment send = request(VerbsLayout.SEND_WR, SENT);
        NativeMemory.set(send, VerbsLayout.SEND_WR, "opcode", SEND);
        NativeMemory.set(send, VerbsLayout.SEND_WR, "send_flags", SIGNALED);
        verbs.postSend(pair, send.address());
        int _ = verbs.requestNotification(queue, 0);
        awaitFlushed(queue);
        int _ = library.integer("ibv_destroy_qp", pair);
    }

    private void modify(long pair, MemorySegment change, int mask) throws VerbsException {
        int error = library.integer("ibv_modify_qp", pair, change.address(), mask);
        if (error != 0) {
            throw new VerbsException("ibv_modify_qp failed with error " + error + " in the check of the library");
        }
    }

    private MemorySegment request(StructLayout layout, long number) {
        MemorySegment request = arena.allocate(layout);
        NativeMemory.set(request, layout, "wr_id", number);
        return request;
    }

    private void awaitFlushed(long queue) throws IOException {
        MemorySegment completion = arena.allocate(VerbsLayout.WC);
        boolean received = false;
        boolean sent = false;
        for (int attempt = 0; attempt < ATTEMPTS && !(received && sent); attempt++) {
            if (verbs.poll(queue, 1, completion.address()) == 0) {
                // Whoever flushes may need the processor.
                boolean _ = sleep();
                continue;
            }
            long number = NativeMemory.getLong(completion, VerbsLayout.WC, "wr_id");
            received |= number == RECEIVED;
            sent |= number == SENT;
            if ((number != RECEIVED && number != SENT)
                    || NativeMemory.getInt(completion, VerbsLayout.WC, "status") != FLUSHED) {
                throw unknown("ibv_wc");
            }
        }
        if (!received || !sent) {
            throw unknown(received ? "ibv_send_wr" : "ibv_recv_wr");
        }
    }

    private static boolean sleep() {
        try {
            Thread.sleep(1);
            return true;
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            return false;
        }
    }

    private void descriptor(String field, int value) throws VerbsException {
        if (!Descriptors.open(value)) {
            throw unknown(field);
        }
    }

    /** A function has to be in code of a library, before it is called. */
    private void code(String field, long address) throws VerbsException {
        MemorySegment information = arena.allocate(ValueLayout.JAVA_LONG, 4);
        if (NativeCalls.system().integer("dladdr", address, information.address()) == 0) {
            throw unknown(field);
        }
    }

    private static void expect(String field, long found, long expected) throws VerbsException {
        if (found != expected) {
            throw unknown(field);
        }
    }

    private static VerbsException unknown(String field) {
        return new VerbsException("libibverbs.so.1 is one that leap-nbd does not know (" + field
                + " is not where it is expected): use rdma-core 17 or newer on a 64-bit machine, or TCP");
    }
}
