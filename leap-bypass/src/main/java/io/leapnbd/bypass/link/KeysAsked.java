package io.leapnbd.bypass.link;

import io.leapnbd.donor.protocol.Operation;
import io.leapnbd.donor.protocol.ReplyHeader;
import io.leapnbd.donor.protocol.RequestHeader;
import io.leapnbd.donor.protocol.Status;
import io.leapnbd.donor.tls.FrameKeys;
import io.leapnbd.donor.tls.LinkTls;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import org.jspecify.annotations.Nullable;

/** A server's request to go on in clear with tags, inside of TLS and before the hello. For one connection, and one thread at a time. */
final class KeysAsked {

    private static final int WHOLE = ReplyHeader.LENGTH + FrameKeys.SHARE;

    private final byte[] ours;
    private final ByteBuf reply = Unpooled.buffer(WHOLE, WHOLE);

    KeysAsked(LinkTls tls) {
        ours = tls.drawShare();
    }

    /** What has to be said, on the heap. */
    ByteBuf frame() {
        ByteBuf frame = Unpooled.buffer(RequestHeader.LENGTH + FrameKeys.SHARE);
        RequestHeader.encode(frame, 0, Operation.KEYS, 0, 0, 0, 0, FrameKeys.SHARE, 0);
        return frame.writerIndex(RequestHeader.LENGTH).writeBytes(ours);
    }

    /** Bytes that the answer needs, as far as is known. */
    int missing() {
        return (reply.writerIndex() < ReplyHeader.LENGTH ? ReplyHeader.LENGTH : WHOLE) - reply.writerIndex();
    }

    /**
     * Takes what has come of the answer.
     *
     * @return the keys; null if more has to come
     * @throws RefusedException if the donor does not go on like that
     */
    @Nullable
    FrameKeys answer(ByteBuf in) throws RefusedException {
        while (in.isReadable()) {
            if (missing() == 0) {
                throw new RefusedException("does not keep to the donor protocol: it goes on after its keys");
            }
            in.readBytes(reply, Math.min(in.readableBytes(), missing()));
            if (reply.writerIndex() >= ReplyHeader.LENGTH) {
                look();
            }
        }
        if (reply.writerIndex() < WHOLE) {
            return null;
        }
        byte[] theirs = new byte[FrameKeys.SHARE];
        reply.getBytes(ReplyHeader.LENGTH, theirs);
        return FrameKeys.of(ours, theirs);
    }

    private void look() throws RefusedException {
        byte status = ReplyHeader.status(reply, 0);
        if (ReplyHeader.operation(reply, 0) != Operation.KEYS) {
            throw new RefusedException("does not speak the donor protocol; is it a leap-nbd donor?");
        }
        if (status == Status.TLS_ONLY) {
            throw new RefusedException(
                    "refuses --link-security auth: it was started with --link-security tls; start this"
                            + " server so, too");
        }
        if (status == Status.BAD_REQUEST) {
            throw new RefusedException("does not know --link-security auth: it runs an older leap-nbd; upgrade it, or"
                    + " start this server with --link-security tls");
        }
        if (status != Status.OK || ReplyHeader.payload(reply, 0) != FrameKeys.SHARE) {
            throw new RefusedException("refuses --link-security auth: " + Status.name(status));
        }
    }
}
