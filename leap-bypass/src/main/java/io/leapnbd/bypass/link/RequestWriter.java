package io.leapnbd.bypass.link;

import io.leapnbd.donor.protocol.Hello;
import io.leapnbd.donor.protocol.Operation;
import io.leapnbd.donor.protocol.RequestHeader;
import io.leapnbd.donor.tls.FrameTags;
import io.netty.buffer.ByteBuf;
import io.netty.channel.Channel;
import org.jspecify.annotations.Nullable;

/**
 * Puts requests on one connection. Headers and small payloads are gathered in one buffer, so that what is posted in one turn
 * of the loop leaves in one system call; a large payload goes out from where it is.
 */
final class RequestWriter {

    /** Payloads up to this many bytes are cheaper copied than sent as a piece of their own. */
    private static final int COPY_LIMIT = 16 << 10;

    private static final int BUFFER = 64 << 10;

    /**
     * A large payload is given to Netty in pieces of this size. Netty gathers what fits into a limit that begins at 32 KiB and adapts; of one large
     * piece it would send the header alone first, which wakes the donor for nothing.
     */
    private static final int PIECE = 16 << 10;

    private final Channel channel;
    private @Nullable ByteBuf gathered;
    private boolean pending;

    /** Of requests, if they go in clear; null otherwise. */
    private final @Nullable FrameTags tags;

    /**
     * For one connection.
     *
     * @param tags of its requests, if they go in clear; null otherwise
     */
    RequestWriter(Channel channel, @Nullable FrameTags tags) {
        this.channel = channel;
        this.tags = tags;
    }

    void hello(Hello hello) {
        ByteBuf frame = channel.alloc().directBuffer();
        int at = tags == null ? 0 : FrameTags.LENGTH;
        int body = at + RequestHeader.LENGTH;
        frame.writeZero(body);
        hello.encode(frame);
        int payload = frame.writerIndex() - body;
        RequestHeader.encode(frame, at, Operation.HELLO, 0, 0, 0, 0, payload, 0);
        tag(frame, at, payload);
        channel.write(frame, channel.voidPromise());
        pending = true;
    }

    void request(LinkRequest request, int cookie) {
        boolean carries = request.sendsData();
        long[] lost = request.lost;
        int payload = carries ? request.length : lost == null ? 0 : lost.length * Long.BYTES;
        boolean body = tags != null && payload > 0 && request.operation != Operation.WRITE;
        boolean copied = payload <= COPY_LIMIT || lost != null || body;
        int before = tags == null ? 0 : FrameTags.LENGTH;
        ByteBuf out = room(2 * before + RequestHeader.LENGTH + (copied ? payload : 0));
        int at = out.writerIndex() + before;
        RequestHeader.encode(
                out,
                at,
                request.operation,
                cookie,
                request.slab,
                request.offset,
                request.length,
                payload,
                request.version);
        RequestHeader.setFlags(out, at, request.flags());
        out.writerIndex(at + RequestHeader.LENGTH);
        if (!body) {
            tag(out, at, 0);
        }
        if (carries) {
            ByteBuf data = request.data();
            if (copied) {
                out.writeBytes(data, request.bufferIndex, payload);
            } else {
                writeGathered();
                for (int sent = 0; sent < payload; sent += PIECE) {
                    channel.write(
                            data.retainedSlice(request.bufferIndex + sent, Math.min(PIECE, payload - sent)),
                            channel.voidPromise());
                }
            }
        } else if (lost != null) {
            for (long word : lost) {
                out.writeLongLE(word);
            }
        }
        if (body) {
            tag(out, at, payload);
        }
        pending = true;
    }

    /** Puts the tag of a header before it, and that of a body behind it, if there is one that has a tag. */
    private void tag(ByteBuf out, int header, int body) {
        FrameTags with = tags;
        if (with == null) {
            return;
        }
        with.signHeader(out, header, RequestHeader.LENGTH, header - FrameTags.LENGTH);
        if (body > 0) {
            int end = out.writerIndex();
            out.ensureWritable(FrameTags.LENGTH).writerIndex(end + FrameTags.LENGTH);
            with.signBody(out, header + RequestHeader.LENGTH, body, end);
        }
    }

    void flush() {
        if (pending) {
            pending = false;
            writeGathered();
            channel.flush();
        }
    }

    void release() {
        ByteBuf left = gathered;
        gathered = null;
        pending = false;
        if (left != null) {
            left.release();
        }
    }

    private ByteBuf room(int bytes) {
        ByteBuf out = gathered;
        if (out != null && out.writableBytes() < bytes) {
            writeGathered();
            out = null;
        }
        if (out == null) {
            out = channel.alloc().directBuffer(BUFFER, BUFFER);
            gathered = out;
        }
        return out;
    }

    private void writeGathered() {
        ByteBuf out = gathered;
        if (out != null) {
            gathered = null;
            channel.write(out, channel.voidPromise());
        }
    }
}
