package io.leapnbd.tools.linux;

import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;
import static java.lang.foreign.ValueLayout.JAVA_SHORT;

import java.lang.foreign.MemorySegment;
import java.lang.invoke.VarHandle;

/**
 * Reads the records that the kernel's perf events write to one mapped ring ({@code perf_event_open(2)}, "MMAP layout").
 *
 * <pre>
 *   control page                            data, a power of two
 *   1024 data_head  written by the kernel   record record record …   each begins with  u32 type, u16 misc, u16 size
 *   1032 data_tail  written here
 * </pre>
 *
 * The kernel moves the head, with release semantics, past whole records only; so what lies before a head that was read with acquire is
 * complete. It never overwrites what lies behind the tail: what does not fit is lost, and counted in a record of its own. Every record is a
 * multiple of eight bytes, so no field of one is torn apart where the ring wraps, though a record may be.
 *
 * <p>The samples of page faults are told apart by their size: those of major faults have one more field. One thread; allocates
 * nothing.
 */
public final class PerfRing {

    /** What a record says. */
    public enum Kind {
        /** A page fault has begun. */
        FAULT,
        /** A page fault has ended that was a major one. */
        MAJOR,
        /** A process or thread was made. */
        FORK,
        /** A process executes another program. */
        EXEC,
        /** A thread has ended. */
        EXIT
    }

    /** Bytes of the samples: header, process and thread, time, address; and for major faults the processor. */
    static final int FAULT_SIZE = 32;

    static final int MAJOR_SIZE = 40;

    static final long DATA_HEAD = 1024;
    static final long DATA_TAIL = 1032;

    static final int RECORD_LOST = 2;
    static final int RECORD_COMM = 3;
    static final int RECORD_EXIT = 4;
    static final int RECORD_FORK = 7;
    static final int RECORD_SAMPLE = 9;
    static final int MISC_COMM_EXEC = 1 << 13;

    private static final VarHandle LONG = JAVA_LONG.varHandle();
    private static final int HEADER = 8;
    private static final int LEAST_LOST = 24;
    private static final int LEAST_TASK = 32;
    private static final int LEAST_COMM = 16;

    private final MemorySegment ring;
    private final long data;
    private final long mask;
    private long head;
    private long tail;

    private Kind kind = Kind.FAULT;
    private int pid;
    private int tid;
    private long nanos;
    private long address;
    private long next;

    private volatile long lost;
    private volatile long torn;

    /**
     * A reader that begins where the last one ended.
     *
     * @param ring the control page and the data
     * @param data where the data begins; the rest of the ring, a power of two, is data
     */
    PerfRing(MemorySegment ring, long data) {
        this.ring = ring;
        this.data = data;
        mask = ring.byteSize() - data - 1;
        if (Long.bitCount(mask + 1) != 1) {
            throw new IllegalArgumentException("a ring of " + (mask + 1) + " bytes is no power of two");
        }
        tail = (long) LONG.getOpaque(ring, DATA_TAIL);
        head = tail;
        next = tail;
    }

    /**
     * Whether there is a record; if so, it is the one that {@link #kind} and the others describe, until {@link #advance}. What is of no
     * interest has been passed over.
     */
    @SuppressWarnings("NonAtomicVolatileUpdate") // one writer
    public boolean peek() {
        while (true) {
            if (tail == head) {
                head = (long) LONG.getAcquire(ring, DATA_HEAD);
                if (tail == head) {
                    return false;
                }
            }
            long at = data + (tail & mask);
            int size = ring.get(JAVA_SHORT, at + 6) & 0xffff;
            if (size < HEADER || size % Long.BYTES != 0 || size > head - tail) {
                // Not a record; the kernel writes none of these. What can be read again begins at the head.
                torn++;
                tail = head;
                continue;
            }
            next = tail + size;
            if (isOfInterest(ring.get(JAVA_INT, at), ring.get(JAVA_SHORT, at + 4) & 0xffff, size)) {
                return true;
            }
            tail = next;
        }
    }

    @SuppressWarnings("NonAtomicVolatileUpdate") // one writer
    private boolean isOfInterest(int type, int misc, int size) {
        return switch (type) {
            case RECORD_SAMPLE -> sample(size);
            case RECORD_FORK, RECORD_EXIT -> task(type, size);
            case RECORD_COMM -> exec(misc, size);
            case RECORD_LOST -> {
                // u64 id, u64 lost
                lost += size < LEAST_LOST ? 1 : field(2);
                yield false;
            }
            default -> false;
        };
    }

    private boolean sample(int size) {
        if (size != FAULT_SIZE && size != MAJOR_SIZE) {
            return false;
        }
        kind = size == FAULT_SIZE ? Kind.FAULT : Kind.MAJOR;
        // u32 pid, tid; u64 time; u64 address
        pid = (int) field(1);
        tid = (int) (field(1) >>> 32);
        nanos = field(2);
        address = field(3);
        return true;
    }

    private boolean task(int type, int size) {
        if (size < LEAST_TASK) {
            return false;
        }
        // u32 pid, ppid; u32 tid, ptid; u64 time
        kind = type == RECORD_FORK ? Kind.FORK : Kind.EXIT;
        pid = (int) field(1);
        tid = (int) field(2);
        nanos = field(3);
        return true;
    }

    private boolean exec(int misc, int size) {
        if (size < LEAST_COMM || (misc & MISC_COMM_EXEC) == 0) {
            return false;
        }
        // u32 pid, tid; no time: it follows what came before it
        kind = Kind.EXEC;
        pid = (int) field(1);
        tid = (int) (field(1) >>> 32);
        return true;
    }

    /** The 64-bit word with this number in the record, whose header is word 0. */
    private long field(int word) {
        return ring.get(JAVA_LONG, data + ((tail + (long) word * Long.BYTES) & mask));
    }

    /** Goes past the record that {@link #peek} found. */
    public void advance() {
        tail = next;
    }

    /** Gives the room of all records passed so far back to the kernel. */
    public void release() {
        LONG.setRelease(ring, DATA_TAIL, tail);
    }

    /** What the record says. */
    public Kind kind() {
        return kind;
    }

    /** Whose it is. */
    public int pid() {
        return pid;
    }

    /** Of which thread. */
    public int tid() {
        return tid;
    }

    /** When, on the monotonic clock. */
    public long nanos() {
        return nanos;
    }

    /** The address that was touched, of a page fault. */
    public long address() {
        return address;
    }

    /** Records that the kernel had no room for. Any thread. */
    public long lost() {
        return lost;
    }

    /** Times that what was read was no record. Any thread. */
    public long torn() {
        return torn;
    }
}
