package io.leapnbd.tools.linux;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/**
 * Another process's memory, as {@code /proc/PID/pagemap} shows it and {@code process_madvise(2)} changes it. Made once and used for one process
 * after the other; allocates nothing afterwards. Pages are numbers: address / 4096. Belongs to one thread.
 *
 * <p>Wants the right to trace the process, and the capability SYS_NICE for advice. Linux 5.15 or newer.
 */
public final class ProcessMemory implements AutoCloseable {

    /** For {@link #places}. */
    public static final int ANY_AREA = -1;

    private static final int PAGE_SHIFT = 12;
    private static final int MADV_WILLNEED = 3;
    private static final int IOVEC = 16;
    private static final long SWAPPED = 1L << 62;
    private static final long AREA_MASK = 31;
    private static final int PLACE_SHIFT = 5;
    private static final long PLACE_MASK = (1L << 50) - 1;
    private static final int AT_FDCWD = -100;
    private static final int O_RDONLY_CLOEXEC = 0x80000;
    private static final int LONGEST_PATH = 64;

    /** Entries read at once: a page of them. */
    private static final int ENTRIES = 512;

    private final Arena arena = Arena.ofShared();
    private final SystemCalls calls = new SystemCalls(arena);
    private final MemorySegment path = arena.allocate(LONGEST_PATH);
    private final MemorySegment entries = arena.allocate((long) ENTRIES * Long.BYTES, 8);
    private final MemorySegment ranges;
    private final int mostRanges;
    private int pid;
    private int pidfd = -1;
    private int pagemap = -1;
    private boolean ioFlusher;

    /** For calls with at most so many ranges. */
    public ProcessMemory(int mostRanges) {
        this.mostRanges = mostRanges;
        ranges = arena.allocate((long) mostRanges * IOVEC, 8);
    }

    /** Turns to a process; returns 0, or a negated error number. Without its pagemap it goes on, and takes all pages for swapped out. */
    public int open(int pid) {
        release();
        this.pid = pid;
        ioFlusher = calls.call(Call.PRCTL, IoFlusher.PR_GET_IO_FLUSHER, 0, 0, 0) == 1;
        long fd = calls.call(Call.PIDFD_OPEN, pid, 0);
        if (fd < 0) {
            return (int) fd;
        }
        pidfd = (int) fd;
        openPagemap();
        return 0;
    }

    private void openPagemap() {
        int length = put("/proc/", 0);
        length = putNumber(pid, length);
        length = put("/pagemap", length);
        path.set(JAVA_BYTE, length, (byte) 0);
        pagemap = (int) calls.call(Call.OPENAT, AT_FDCWD, path.address(), O_RDONLY_CLOEXEC, 0);
    }

    private int put(String text, int at) {
        for (int i = 0; i < text.length(); i++) {
            path.set(JAVA_BYTE, at + i, (byte) text.charAt(i));
        }
        return at + text.length();
    }

    private int putNumber(int number, int at) {
        int digits = 1;
        for (int rest = number; rest >= 10; rest /= 10) {
            digits++;
        }
        int rest = number;
        for (int i = digits - 1; i >= 0; i--) {
            path.set(JAVA_BYTE, at + i, (byte) ('0' + rest % 10));
            rest /= 10;
        }
        return at + digits;
    }

    /** The process executes another program: the file that was opened shows memory that is no more. */
    public void reopen() {
        closePagemap();
        if (pidfd >= 0) {
            openPagemap();
        }
    }

    /** Whether it is known which pages are swapped out. */
    public boolean seesPages() {
        return pagemap >= 0;
    }

    /** The descriptor of the process, readable when it has ended; -1 before {@link #open}. */
    public int descriptor() {
        return pidfd;
    }

    /**
     * Those of the pages {@code first, first + stride …} that are swapped out, in this order. Pages that are on their way into memory, or
     * wait in the swap cache, count as swapped out.
     *
     * @return how many
     */
    public int swapped(long first, long stride, int count, long[] swapped) {
        int found = 0;
        for (int from = 0; from < count; ) {
            // As many as lie in what is read at once, in the order of addresses.
            int reach = (int) Math.min(count - from, (ENTRIES - 1) / Math.abs(stride) + 1);
            long one = first + from * stride;
            long other = one + (reach - 1) * stride;
            long low = Math.min(one, other);
            long bytes = (Math.max(one, other) - low + 1) * Long.BYTES;
            long read = low < 0
                    ? 0
                    : pagemap < 0
                            ? bytes
                            : calls.call(Call.PREAD64, pagemap, entries.address(), bytes, low * Long.BYTES);
            for (int i = 0; i < reach; i++) {
                long page = one + i * stride;
                long offset = (page - low) * Long.BYTES;
                if (offset < read && (pagemap < 0 || (entries.get(JAVA_LONG, offset) & SWAPPED) != 0)) {
                    swapped[found++] = page;
                }
            }
            from += reach;
        }
        return found;
    }

    /**
     * Where pages lie in their swap area.
     *
     * @param area only in this one, as pagemap numbers them; {@link #ANY_AREA} for any
     * @param places takes one for each page, in pages of the area: its device's, if it is a device; -1 for a page that is not there
     * @return how many are there
     */
    public int places(long[] pages, int count, int area, long[] places) {
        long block = -1;
        long read = 0;
        int found = 0;
        for (int i = 0; i < count; i++) {
            if (pages[i] / ENTRIES != block) {
                block = pages[i] / ENTRIES;
                read = pagemap < 0
                        ? 0
                        : calls.call(
                                Call.PREAD64,
                                pagemap,
                                entries.address(),
                                (long) ENTRIES * Long.BYTES,
                                block * ENTRIES * Long.BYTES);
            }
            long at = pages[i] % ENTRIES * Long.BYTES;
            long entry = at < read ? entries.get(JAVA_LONG, at) : 0;
            boolean there = (entry & SWAPPED) != 0 && (area == ANY_AREA || (entry & AREA_MASK) == area);
            places[i] = there ? entry >>> PLACE_SHIFT & PLACE_MASK : -1;
            if (there) {
                found++;
            }
        }
        return found;
    }

    /**
     * Asks for pages to be read from the swap device into memory; neighbours in one range.
     *
     * <p>The kernel makes room for them on this thread, by paging out, which it does not do for an IO flusher. In a process that swap goes
     * through the thread is one. So it is none during this call alone, in which it holds up neither a safepoint nor a
     * lock of this process: a page fault of its own, at any other time, could wait for the very loops that wait for it.
     *
     * @return how many were asked for, from the first on; or a negated error number
     */
    public int willNeed(long[] pages, int count) {
        int used = 0;
        long start = 0;
        long end = 0;
        for (int i = 0; i < count; i++) {
            long page = pages[i];
            if (used > 0 && page == end) {
                end++;
            } else if (used > 0 && page == start - 1) {
                start--;
            } else {
                if (used == mostRanges) {
                    break;
                }
                used++;
                start = page;
                end = page + 1;
            }
            long at = (used - 1L) * IOVEC;
            ranges.set(JAVA_LONG, at, start << PAGE_SHIFT);
            ranges.set(JAVA_LONG, at + Long.BYTES, (end - start) << PAGE_SHIFT);
        }
        if (ioFlusher) {
            calls.call(Call.PRCTL, IoFlusher.PR_SET_IO_FLUSHER, 0, 0, 0);
        }
        long bytes = calls.call(Call.PROCESS_MADVISE, pidfd, ranges.address(), used, MADV_WILLNEED, 0);
        if (ioFlusher) {
            calls.call(Call.PRCTL, IoFlusher.PR_SET_IO_FLUSHER, 1, 0, 0);
        }
        return (int) (bytes < 0 ? bytes : bytes >> PAGE_SHIFT);
    }

    private void closePagemap() {
        if (pagemap >= 0) {
            calls.call(Call.CLOSE, pagemap);
        }
        pagemap = -1;
    }

    /** Turns away from the process. */
    public void release() {
        closePagemap();
        if (pidfd >= 0) {
            calls.call(Call.CLOSE, pidfd);
        }
        pidfd = -1;
    }

    @Override
    public void close() {
        release();
        arena.close();
    }
}
