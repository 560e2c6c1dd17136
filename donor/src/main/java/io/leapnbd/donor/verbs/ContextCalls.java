package io.leapnbd.donor.verbs;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandle;
import org.jspecify.annotations.Nullable;

/**
 * The calls on the way of a page, which go through the table of functions in {@code struct ibv_context}: one object for each
 * device. They allocate nothing and, once compiled, cost about as much as the function that they call.
 */
final class ContextCalls {

    private static final FunctionDescriptor THREE = FunctionDescriptor.of(JAVA_INT, JAVA_LONG, JAVA_LONG, JAVA_LONG);

    // The function's address comes first; static finals, so that the JIT compiles the calls in line.
    private static final MethodHandle POST = find(THREE);
    private static final MethodHandle POLL = find(FunctionDescriptor.of(JAVA_INT, JAVA_LONG, JAVA_INT, JAVA_LONG));
    private static final MethodHandle NOTIFY = find(FunctionDescriptor.of(JAVA_INT, JAVA_LONG, JAVA_INT));

    /** Where functions put what nobody looks at: the request that failed, the completion queue of an event. */
    static final long SCRATCH = Arena.global().allocate(ADDRESS, 2).address();

    private static final long QP_CONTEXT = VerbsLayout.offset(VerbsLayout.QP, "context");
    private static final long CQ_CONTEXT = VerbsLayout.offset(VerbsLayout.CQ, "context");

    /** Those of the devices that were used, the latest first; there is hardly ever a second one. */
    private static volatile @Nullable ContextCalls known;

    private final long context;
    private final MemorySegment postSend;
    private final MemorySegment postReceive;
    private final MemorySegment poll;
    private final MemorySegment notify;
    private final @Nullable ContextCalls next;

    private ContextCalls(long context, @Nullable ContextCalls next) {
        this.context = context;
        this.next = next;
        postSend = function("post_send");
        postReceive = function("post_recv");
        poll = function("poll_cq");
        notify = function("req_notify_cq");
    }

    private MemorySegment function(String name) {
        return MemorySegment.ofAddress(NativeMemory.getLong(context, VerbsLayout.CONTEXT, name));
    }

    private static ContextCalls of(long context) {
        for (ContextCalls one = known; one != null; one = one.next) {
            if (one.context == context) {
                return one;
            }
        }
        return add(context);
    }

    private static synchronized ContextCalls add(long context) {
        ContextCalls added = new ContextCalls(context, known);
        known = added;
        return added;
    }

    /** Before a device is closed: another one, with another driver, may be opened at the same address. */
    static synchronized void forget(long context) {
        ContextCalls left = null;
        for (ContextCalls one = known; one != null; one = one.next) {
            if (one.context != context) {
                left = new ContextCalls(one.context, left);
            }
        }
        known = left;
    }

    /** 0, or an error number. */
    static int postSend(long qp, long requests) {
        return post(of(NativeMemory.getLong(qp + QP_CONTEXT)).postSend, qp, requests);
    }

    /** 0, or an error number. */
    static int postReceive(long qp, long requests) {
        return post(of(NativeMemory.getLong(qp + QP_CONTEXT)).postReceive, qp, requests);
    }

    private static int post(MemorySegment function, long qp, long requests) {
        try {
            return (int) POST.invokeExact(function, qp, requests, SCRATCH);
        } catch (Throwable e) {
            throw new AssertionError("a post through the linker", e);
        }
    }

    /** How many completions were written to {@code completions}; negative on failure. */
    static int poll(long cq, int most, long completions) {
        try {
            return (int) POLL.invokeExact(of(NativeMemory.getLong(cq + CQ_CONTEXT)).poll, cq, most, completions);
        } catch (Throwable e) {
            throw new AssertionError("poll_cq through the linker", e);
        }
    }

    /** 0, or an error number. */
    static int notify(long cq, int solicitedOnly) {
        try {
            return (int) NOTIFY.invokeExact(of(NativeMemory.getLong(cq + CQ_CONTEXT)).notify, cq, solicitedOnly);
        } catch (Throwable e) {
            throw new AssertionError("req_notify_cq through the linker", e);
        }
    }

    @SuppressWarnings("restricted")
    private static MethodHandle find(FunctionDescriptor descriptor) {
        return Linker.nativeLinker().downcallHandle(descriptor);
    }
}
