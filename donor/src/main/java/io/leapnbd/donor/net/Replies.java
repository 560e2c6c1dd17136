package io.leapnbd.donor.net;

import io.leapnbd.donor.protocol.ReplyHeader;
import io.netty.buffer.ByteBuf;

/** Where a link's replies go. The link's thread. */
interface Replies {

    /** A buffer with room for so many bytes, at its writer index. */
    ByteBuf room(int bytes);

    /** Adds a reply without a payload. */
    default void add(byte operation, byte status, int cookie, int freeSlabs, int wantedBack) {
        ByteBuf out = room(ReplyHeader.LENGTH);
        ReplyHeader.encode(out, out.writerIndex(), operation, status, cookie, 0, freeSlabs);
        ReplyHeader.setWantedBack(out, out.writerIndex(), wantedBack);
        out.writerIndex(out.writerIndex() + ReplyHeader.LENGTH);
    }
}
