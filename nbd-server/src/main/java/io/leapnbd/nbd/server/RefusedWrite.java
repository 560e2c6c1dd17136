package io.leapnbd.nbd.server;

import io.netty.buffer.ByteBuf;

/** A write that will be answered with an error once its payload, which nobody wants, has passed. One at a time. */
final class RefusedWrite {

    private long left;
    private long cookie;
    private long offset;
    private long length;
    private int error;

    void start(long newCookie, long newOffset, long newLength, int newError) {
        left = newLength;
        cookie = newCookie;
        offset = newOffset;
        length = newLength;
        error = newError;
    }

    /** Whether some of the payload is still to come. */
    boolean pending() {
        return left > 0;
    }

    /** Lets what has arrived pass; returns whether that was the last of it. */
    boolean drain(ByteBuf in) {
        int here = (int) Math.min(left, in.readableBytes());
        in.skipBytes(here);
        left -= here;
        return left == 0;
    }

    long cookie() {
        return cookie;
    }

    long offset() {
        return offset;
    }

    long length() {
        return length;
    }

    int error() {
        return error;
    }
}
