package io.leapnbd.bypass.link;

import io.leapnbd.bypass.spill.Spill;
import io.leapnbd.bypass.spill.SpillBuffers;
import io.leapnbd.donor.protocol.Operation;
import io.netty.channel.EventLoop;
import java.io.IOException;
import java.util.ArrayDeque;
import org.jspecify.annotations.Nullable;

/**
 * What one loop may have under way at the spill: a fixed number of requests, each with a buffer of its own if it moves data. One that the disk does
 * not end keeps both, also when its session has ended: so a disk that hangs takes no more than this. For the loop's thread.
 */
final class SpillRequests {

    /** Without data: grants, placements, pings. */
    private static final int OTHERS = 16;

    /** Background reads wait as long as so many tasks do: demands would stand behind them. */
    private static final int BUSY = 8;

    private final Spill spill;
    private final EventLoop loop;
    private final ArrayDeque<SpillRequest> free = new ArrayDeque<>();
    private @Nullable SpillBuffers buffers;

    SpillRequests(Spill spill, EventLoop loop) {
        this.spill = spill;
        this.loop = loop;
    }

    Spill spill() {
        return spill;
    }

    EventLoop loop() {
        return loop;
    }

    /** Reserves memory, the first time. */
    void open() throws IOException {
        if (buffers == null) {
            SpillBuffers reserved = new SpillBuffers();
            buffers = reserved;
            spill.own(reserved);
            for (int i = 0; i < reserved.count() + OTHERS; i++) {
                free.addLast(new SpillRequest(this));
            }
        }
    }

    /** Whether a request can be begun now. */
    boolean has(LinkRequest request) {
        SpillBuffers from = buffers;
        if (from == null
                || free.isEmpty()
                || (request.background && spill.threads().waiting() >= BUSY)) {
            return false;
        }
        return !movesData(request) || from.has(request.offset, bufferLength(request));
    }

    /** One that is free, with what is asked; {@link #has} was true just before. */
    SpillRequest take(LinkRequest request, SpillSession session) {
        SpillRequest taken = free.removeLast();
        long buffer = SpillBuffers.NONE;
        SpillBuffers from = buffers;
        if (from != null && movesData(request)) {
            buffer = from.take(request.offset, bufferLength(request));
        }
        taken.begin(request, session, buffer, bufferLength(request));
        return taken;
    }

    /** Takes one back that has ended. */
    void giveBack(SpillRequest ended) {
        SpillBuffers to = buffers;
        if (to != null && ended.buffer() != SpillBuffers.NONE) {
            to.giveBack(ended.buffer(), ended.offset(), ended.bufferLength());
        }
        free.addLast(ended);
    }

    private static boolean movesData(LinkRequest request) {
        return request.operation == Operation.READ
                || request.operation == Operation.WRITE
                || request.operation == Operation.TRIM;
    }

    /** A trim needs room for a page that it cuts. */
    private static int bufferLength(LinkRequest request) {
        return request.operation == Operation.TRIM ? 1 : request.length;
    }
}
