package io.leapnbd.tools.push;

import static java.lang.foreign.ValueLayout.JAVA_INT_UNALIGNED;
import static java.lang.foreign.ValueLayout.JAVA_LONG_UNALIGNED;
import static java.lang.foreign.ValueLayout.JAVA_SHORT_UNALIGNED;

import io.leapnbd.nbd.protocol.Transmission;
import io.leapnbd.nbd.spi.Command;
import io.leapnbd.prefetch.push.TargetMemory;
import io.leapnbd.tools.linux.FdChannel;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;

/**
 * A connection to the server of a swap area, over which it is told what the kernel will read next: NBD's request CACHE, which every server may
 * understand. Nobody waits for it. What does not fit into the socket, or would be too much at once, is left out: it is a hint.
 *
 * <p>Made by one thread, then another's. Allocates nothing when made.
 */
final class SwapServer implements AutoCloseable {

    /** Requests that wait for their answers, at most. */
    private static final int MOST_OUTSTANDING = 1024;

    private static final int PAGE_SHIFT = 12;

    private static final ValueLayout.OfInt INT = JAVA_INT_UNALIGNED.withOrder(ByteOrder.BIG_ENDIAN);
    private static final ValueLayout.OfShort SHORT = JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.BIG_ENDIAN);
    private static final ValueLayout.OfLong LONG = JAVA_LONG_UNALIGNED.withOrder(ByteOrder.BIG_ENDIAN);

    private final FdChannel channel;
    private final String uri;
    private final int area;
    private final Arena arena = Arena.ofShared();
    private final MemorySegment requests =
            arena.allocate((long) TargetMemory.MOST_AT_ONCE * Transmission.REQUEST_SIZE, Long.BYTES);
    private final MemorySegment replies = arena.allocate(256L * Transmission.SIMPLE_REPLY_SIZE, Long.BYTES);

    private long unsentFrom;
    private long unsentTo;

    /** Of a reply that has come in part. */
    private int partOfReply;

    private int outstanding;
    private long cookie;

    /**
     * A connection in the transmission phase, with simple replies.
     *
     * @param area the swap area that is kept there, as pagemap numbers it
     */
    SwapServer(FdChannel channel, String uri, int area) {
        this.channel = channel;
        this.uri = uri;
        this.area = area;
    }

    /** Where it is. */
    String uri() {
        return uri;
    }

    /** The swap area that is kept there. */
    int area() {
        return area;
    }

    /**
     * Tells the server of pages; neighbours in one request.
     *
     * @param places pages of the device; negative ones are left out
     * @return how many it is told of; -1 if the connection is of no use any more
     */
    int announce(long[] places, int count) {
        if (!takeReplies() || !send()) {
            return -1;
        }
        if (unsentTo > 0 || outstanding + count > MOST_OUTSTANDING) {
            return 0;
        }
        int told = 0;
        for (int i = 0; i < count; ) {
            int end = i + 1;
            if (places[i] >= 0) {
                while (end < count && places[end] == places[end - 1] + 1) {
                    end++;
                }
                request(places[i], end - i);
                told += end - i;
            }
            i = end;
        }
        return send() ? told : -1;
    }

    private void request(long place, int pages) {
        requests.set(INT, unsentTo, Transmission.REQUEST_MAGIC);
        requests.set(SHORT, unsentTo + 4, (short) 0);
        requests.set(SHORT, unsentTo + 6, (short) Command.CACHE.code());
        requests.set(LONG, unsentTo + 8, ++cookie);
        requests.set(LONG, unsentTo + 16, place << PAGE_SHIFT);
        requests.set(INT, unsentTo + 24, pages << PAGE_SHIFT);
        unsentTo += Transmission.REQUEST_SIZE;
        outstanding++;
    }

    private boolean send() {
        if (unsentFrom < unsentTo) {
            long sent = channel.sendNow(requests, unsentFrom, unsentTo - unsentFrom);
            if (sent < 0) {
                return false;
            }
            unsentFrom += sent;
        }
        if (unsentFrom == unsentTo) {
            unsentFrom = 0;
            unsentTo = 0;
        }
        return true;
    }

    /** An error is an answer too: of a page that is lost, the program will hear. */
    private boolean takeReplies() {
        while (outstanding > 0) {
            long received = channel.receiveNow(replies);
            if (received < 0) {
                return false;
            }
            if (received == 0) {
                return true;
            }
            if (partOfReply == 0
                    && received >= Integer.BYTES
                    && replies.get(INT, 0) != Transmission.SIMPLE_REPLY_MAGIC) {
                return false;
            }
            int bytes = partOfReply + (int) received;
            outstanding -= bytes / Transmission.SIMPLE_REPLY_SIZE;
            partOfReply = bytes % Transmission.SIMPLE_REPLY_SIZE;
        }
        return outstanding == 0 && partOfReply == 0;
    }

    @Override
    public void close() {
        channel.close();
        arena.close();
    }
}
