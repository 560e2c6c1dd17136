package io.leapnbd.bypass.path;

import io.leapnbd.bypass.link.LinkRequest;
import io.netty.buffer.ByteBuf;
import org.jspecify.annotations.Nullable;

/** One read of a client that was asked of two copies. Pooled by its {@link Hedging}; for the loop's thread. */
final class Hedge {

    /** The request that was posted first; null once it has ended. */
    @Nullable
    LinkRequest first;

    /** The other one; null once it has ended. */
    @Nullable
    LinkRequest second;

    /** Number of the second's buffer; {@link HedgeBuffers#NONE} once it is given back. */
    int buffer = HedgeBuffers.NONE;

    /** Whether the client has its answer, or its error: what comes now is nobody's. */
    boolean decided;

    /** Whose read it is, and where the bytes are to be; until it is decided. */
    @Nullable
    ClientRequest client;

    @Nullable
    ByteBuf into;

    int index;

    /** A second request is about to be posted. */
    void begin(LinkRequest posted, LinkRequest beside, int itsBuffer) {
        first = posted;
        second = beside;
        buffer = itsBuffer;
        decided = false;
        client = DeviceLoop.clientOf(posted);
        into = posted.data();
        index = posted.bufferIndex;
    }

    /** The client's answer is there. */
    void decide() {
        decided = true;
        client = null;
        into = null;
    }

    /** Whether both have ended. */
    boolean over() {
        return first == null && second == null;
    }

    /** The client, as long as nothing is decided. */
    ClientRequest waiting() {
        ClientRequest waits = client;
        if (waits == null) {
            throw new IllegalStateException("it is decided");
        }
        return waits;
    }

    /** Its buffer, likewise. */
    ByteBuf target() {
        ByteBuf to = into;
        if (to == null) {
            throw new IllegalStateException("it is decided");
        }
        return to;
    }
}
