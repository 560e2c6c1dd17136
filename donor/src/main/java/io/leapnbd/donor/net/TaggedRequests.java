package io.leapnbd.donor.net;

import io.leapnbd.donor.protocol.Operation;
import io.leapnbd.donor.protocol.RequestHeader;
import io.leapnbd.donor.tls.AlteredFrameException;
import io.leapnbd.donor.tls.FrameTags;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import org.jspecify.annotations.Nullable;

/**
 * The tags of a link's requests that come in clear: one before each header, and one behind each body that is no page data. No byte of a header, and so
 * no length, is believed before its tag. Each tag is looked at once, however often a request has to be begun anew. On the link's loop.
 */
final class TaggedRequests {

    private static final int FIRST = FrameTags.LENGTH + RequestHeader.LENGTH;

    private final FrameTags tags;

    /** The tag and header that have not arrived whole. */
    private final ByteBuf first = Unpooled.buffer(FIRST, FIRST);

    private boolean headerFits;
    private boolean bodyFits;

    TaggedRequests(FrameTags tags) {
        this.tags = tags;
    }

    /** Whether the header of the request at hand was looked at. */
    boolean opened() {
        return headerFits;
    }

    /**
     * Looks at the header that is next.
     *
     * @return where that is: {@code in}, behind the tag; or a buffer of its own, if it came in pieces; null if it has not arrived whole
     * @throws AlteredFrameException if it does not fit
     */
    @Nullable
    ByteBuf open(ByteBuf in) throws AlteredFrameException {
        ByteBuf from = in;
        if (first.isReadable() || in.readableBytes() < FIRST) {
            first.writeBytes(in, Math.min(in.readableBytes(), first.writableBytes()));
            if (first.isWritable()) {
                return null;
            }
            from = first;
        }
        int at = from.readerIndex();
        tags.checkHeader(from, at + FrameTags.LENGTH, RequestHeader.LENGTH, at);
        headerFits = true;
        return from.skipBytes(FrameTags.LENGTH);
    }

    /** Bytes behind the payload of the request whose header is at {@code at}. */
    static int tail(ByteBuf in, int at) {
        return RequestHeader.payload(in, at) > 0 && RequestHeader.operation(in, at) != Operation.WRITE
                ? FrameTags.LENGTH
                : 0;
    }

    /** Looks at the body of the request at {@code at}, which has arrived whole. */
    void checkBody(ByteBuf in, int at) throws AlteredFrameException {
        if (!bodyFits && tail(in, at) > 0) {
            int body = at + RequestHeader.LENGTH;
            int length = RequestHeader.payload(in, at);
            tags.checkBody(in, body, length, body + length);
        }
        bodyFits = true;
    }

    /** The request is done; another one is next. */
    void next() {
        headerFits = false;
        bodyFits = false;
        first.clear();
    }
}
