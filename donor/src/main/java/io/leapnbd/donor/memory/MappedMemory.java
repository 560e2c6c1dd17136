package io.leapnbd.donor.memory;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A range of address space of which any part can be made resident, locked, or given back to the kernel.
 *
 * <p>Reserving costs no memory: a page becomes resident when it is first written or {@linkplain #populate populated}, reads
 * as zeros then, and stays until it is {@linkplain #discard discarded}. What is {@linkplain #lock locked} is so from the
 * moment at which it becomes resident. It is left out of core dumps.
 *
 * <p>All methods may be called from any thread. Offsets and lengths are multiples of {@link #GRANULE}. Whoever closes it has
 * made sure that nobody uses its addresses any more.
 */
public final class MappedMemory implements AutoCloseable {

    private static final Logger LOG = LoggerFactory.getLogger(MappedMemory.class);

    /** Bytes of a page of memory. */
    public static final int GRANULE = 4096;

    /** What the kernel backs with one huge page, on x86-64. */
    private static final int HUGE_GRANULE = 2 << 20;

    private static final int PROT_NONE = 0;
    private static final int PROT_READ_WRITE = 1 | 2;
    private static final int MAP_PRIVATE_ANONYMOUS_NORESERVE = 0x02 | 0x20 | 0x4000;
    private static final int MADV_DONTNEED = 4;
    private static final int MADV_HUGEPAGE = 14;
    private static final int MADV_NOHUGEPAGE = 15;
    private static final int MADV_DONTDUMP = 16;
    private static final int MADV_POPULATE_WRITE = 23;
    private static final int MLOCK_ONFAULT = 1;
    private static final int RLIMIT_MEMLOCK = 8;

    private final long mapped;
    private final long mappedLength;
    private final long address;
    private boolean closed;

    private MappedMemory(long mapped, long mappedLength, long address) {
        this.mapped = mapped;
        this.mappedLength = mappedLength;
        this.address = address;
    }

    /**
     * Reserves address space, aligned to huge pages.
     *
     * <p>It is mapped without access first, unlocked, and made accessible last: after {@code mlockall(MCL_FUTURE)} the kernel
     * would otherwise make the whole of it resident at once.
     *
     * @param length bytes, above zero
     * @param hugePages whether to ask for huge pages: fewer address translations are missed where pages are read at random. The kernel
     *     gives what it has; if it refuses altogether, that is logged. For the one large mapping of a process
     * @throws MemoryException if the kernel refuses
     */
    public static MappedMemory reserve(long length, boolean hugePages) throws MemoryException {
        long mappedLength = length + HUGE_GRANULE;
        long mapped = SystemCalls.mmap(mappedLength, PROT_NONE, MAP_PRIVATE_ANONYMOUS_NORESERVE);
        if (mapped < 0) {
            throw new MemoryException("cannot reserve " + length + " bytes of address space", (int) -mapped);
        }
        long address = mapped + HUGE_GRANULE - 1 & -HUGE_GRANULE;
        MappedMemory memory = new MappedMemory(mapped, mappedLength, address);
        try {
            check("cannot unlock a fresh mapping", SystemCalls.munlock(mapped, mappedLength));
            check(
                    "cannot make " + length + " bytes accessible; is vm.overcommit_memory 2?",
                    SystemCalls.mprotect(mapped, mappedLength, PROT_READ_WRITE));
            check("cannot keep memory out of core dumps", SystemCalls.madvise(mapped, mappedLength, MADV_DONTDUMP));
            if (hugePages) {
                int errno = SystemCalls.madvise(mapped, mappedLength, MADV_HUGEPAGE);
                if (errno != 0) {
                    LOG.warn(
                            "no huge pages, {}: is this kernel built without them? Everything works with small ones, but random"
                                    + " reads and writes take more of the processors",
                            Errno.describe(errno));
                }
            }
            return memory;
        } catch (MemoryException e) {
            memory.close();
            throw e;
        }
    }

    /**
     * Reserves as {@link #reserve}, for what is small and may be had often, as by strangers: it takes no more memory than its length, also where the kernel
     * makes every page that is touched a huge one.
     *
     * @throws MemoryException if the kernel refuses
     */
    public static MappedMemory reserveSmall(long length) throws MemoryException {
        MappedMemory memory = reserve(length, false);
        int errno = SystemCalls.madvise(memory.mapped, memory.mappedLength, MADV_NOHUGEPAGE);
        // A kernel that is built without huge pages knows no such wish.
        if (errno != 0 && errno != Errno.EINVAL) {
            memory.close();
            throw new MemoryException("cannot do without huge pages", errno);
        }
        return memory;
    }

    /** All of it, closed with an arena. Who takes it does not close this. */
    @SuppressWarnings("restricted")
    public MemorySegment segment(Arena arena) {
        return MemorySegment.ofAddress(address).reinterpret(mappedLength - (address - mapped), arena, all -> close());
    }

    /** Where it begins. */
    public long address() {
        return address;
    }

    /**
     * Keeps a part out of the swap from the moment at which it becomes resident.
     *
     * @return null, or why it could not be, with what would help
     */
    public @Nullable String lock(long offset, long length) {
        int errno = SystemCalls.mlock2(address + offset, length, MLOCK_ONFAULT);
        if (errno == 0) {
            return null;
        }
        long limit = SystemCalls.softLimit(RLIMIT_MEMLOCK);
        if (limit < 0) {
            return "locking failed: " + Errno.describe(errno);
        }
        return "RLIMIT_MEMLOCK is " + limit + " bytes (" + Errno.describe(errno)
                + "): raise it (ulimit -l, LimitMEMLOCK=) or give CAP_IPC_LOCK";
    }

    /** Ends what {@link #lock} began. */
    public void unlock(long offset, long length) throws MemoryException {
        check("cannot unlock " + length + " bytes", SystemCalls.munlock(address + offset, length));
    }

    /**
     * Makes a part resident. Its contents stay as they are, even if somebody writes them meanwhile. Takes about 0.3 ms a MiB.
     *
     * @throws MemoryException if there is no memory
     */
    public void populate(long offset, long length) throws MemoryException {
        int errno = SystemCalls.madvise(address + offset, length, MADV_POPULATE_WRITE);
        if (errno == Errno.EINVAL) {
            // A kernel before 5.14.
            for (long at = offset; at < offset + length; at += GRANULE) {
                RawMemory.touch(address + at);
            }
        } else {
            check("cannot make " + length + " bytes resident", errno);
        }
    }

    /**
     * Gives a part back to the kernel; it reads as zeros from then on. It must not be locked.
     *
     * @throws MemoryException if it is locked, for one; its contents are then as they were
     */
    public void discard(long offset, long length) throws MemoryException {
        check("cannot give " + length + " bytes back", SystemCalls.madvise(address + offset, length, MADV_DONTNEED));
    }

    /** Unmaps it. */
    @Override
    public synchronized void close() {
        if (!closed) {
            closed = true;
            int errno = SystemCalls.munmap(mapped, mappedLength);
            if (errno != 0) {
                throw new IllegalStateException("munmap of our own mapping: " + Errno.describe(errno));
            }
        }
    }

    private static void check(String what, int errno) throws MemoryException {
        if (errno != 0) {
            throw new MemoryException(what, errno);
        }
    }
}
