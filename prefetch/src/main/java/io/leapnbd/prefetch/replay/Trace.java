package io.leapnbd.prefetch.replay;

import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/** The requests that a device got, in their order. Grows by {@link #add}; for one thread while it grows, for any after. */
public final class Trace {

    /** What a request did. */
    public enum Operation {
        /** A client read pages. */
        READ('R'),
        /** A client wrote pages. */
        WRITE('W'),
        /** A client no longer wanted pages. */
        TRIM('T');

        private final char letter;

        Operation(char letter) {
            this.letter = letter;
        }

        /** As traces have it. */
        public char letter() {
            return letter;
        }
    }

    /** Pages of 4 KiB that one request may have: what an NBD request of 32 bits of length can. */
    public static final int MAX_REQUEST_PAGES = 1 << 20;

    /** Pages are numbered below this. */
    public static final long PAGE_LIMIT = 1L << 40;

    private static final Operation[] OPERATIONS = Operation.values();

    private long[] micros = new long[1024];
    private long[] firstPages = new long[1024];
    private int[] pages = new int[1024];
    private byte[] operations = new byte[1024];
    private int size;
    private long demands;
    private long devicePages;
    private boolean writes;
    private @Nullable String cut;

    /** A trace without requests. */
    public Trace() {}

    /**
     * Adds a request.
     *
     * @param micro when it came, in microseconds since the trace's start
     * @param firstPage 0 or more
     * @param count 1 to {@link #MAX_REQUEST_PAGES}; the last page is below {@link #PAGE_LIMIT}
     */
    public void add(long micro, Operation operation, long firstPage, int count) {
        if (size == micros.length) {
            int capacity = size + (size >> 1);
            micros = Arrays.copyOf(micros, capacity);
            firstPages = Arrays.copyOf(firstPages, capacity);
            pages = Arrays.copyOf(pages, capacity);
            operations = Arrays.copyOf(operations, capacity);
        }
        micros[size] = micro;
        firstPages[size] = firstPage;
        pages[size] = count;
        operations[size] = (byte) operation.ordinal();
        size++;
        devicePages = Math.max(devicePages, firstPage + count);
        if (operation == Operation.READ) {
            demands += count;
        } else if (operation == Operation.WRITE) {
            writes = true;
        }
    }

    /** Requests. */
    public int size() {
        return size;
    }

    /** Pages that were read. */
    public long demands() {
        return demands;
    }

    /** The smallest device that has all pages of the trace. */
    public long devicePages() {
        return devicePages;
    }

    /** Whether anything was written. */
    public boolean hasWrites() {
        return writes;
    }

    /** Notes that the file ends in the middle, so that this is the part before. */
    void cutOff(String where) {
        cut = where;
    }

    /** Where the file was cut off, in a sentence, as after a crash of whoever wrote it; null if it is whole. */
    public @Nullable String cutOff() {
        return cut;
    }

    /** When a request came, in microseconds since the trace's start. */
    public long micros(int request) {
        return micros[request];
    }

    /** What a request did. */
    public Operation operation(int request) {
        return OPERATIONS[operations[request]];
    }

    /** Its first page. */
    public long firstPage(int request) {
        return firstPages[request];
    }

    /** How many pages it had. */
    public int pages(int request) {
        return pages[request];
    }
}
