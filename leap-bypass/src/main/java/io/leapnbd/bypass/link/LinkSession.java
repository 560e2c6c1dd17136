package io.leapnbd.bypass.link;

import io.leapnbd.donor.protocol.Hello;
import io.leapnbd.donor.protocol.HelloReply;
import java.io.IOException;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * One connection of a {@link ReconnectingLink}, over one transport: it connects, sends, receives and closes. When, and what becomes of
 * requests whose connection ends, is the link's affair.
 *
 * <p>A session tells the link what it has come to: {@link ReconnectingLink#connected}, {@link ReconnectingLink#helloAnswered}, {@link
 * PostedRequests#answered}, {@link ReconnectingLink#fail}. It tells nothing any more once the link {@linkplain ReconnectingLink#has
 * has} it no longer. It never ends a request that it was not asked to send.
 *
 * <p>For the link's loop.
 */
interface LinkSession {

    /**
     * Begins to connect. Says first how long that may take: {@link ReconnectingLink#expectWithin}.
     *
     * @throws IOException if it cannot; the link closes it then
     */
    void open() throws IOException;

    /** Sends a hello at once. */
    void hello(Hello hello);

    /** The donor takes requests from now on. */
    void greeted(HelloReply reply);

    /**
     * Looks whether a request can be sent now, and sends all but the last of it if it goes in pieces. The request may stand first in its
     * queue, and is neither ended nor queued here.
     *
     * @return whether it need not wait any more: {@link #send} is called next
     */
    boolean advance(LinkRequest request);

    /** Sends a request that stands in no queue, or what {@link #advance} has left of it. */
    void send(LinkRequest request, long now);

    /** Whether a device writes into the buffer of a read that this has under way, without asking. */
    default boolean deviceWrites(LinkRequest request) {
        return false;
    }

    /** A background read that this has under way has become a demand. */
    void promoted(LinkRequest request);

    /** Sends what was held back to leave together. */
    void flush();

    /** Whether any request shows that the connection is broken; see {@link Patience#isOver}. */
    boolean anyOverdue(Patience patience, long now, long heardNanos);

    /** Whether anything was sent that the donor has not answered. */
    boolean awaitsReply();

    /** {@link System#nanoTime()} when something was sent that the donor hears, or a little earlier. */
    long lastAskedNanos();

    /** Shows somebody, once each, what is under way and stands in no queue. */
    void eachUnderWay(Consumer<LinkRequest> to);

    /** Whether the peer may have ended the connection while this process did not run for long. */
    default boolean outlivedByPeer() {
        return true;
    }

    /** Ends the connection: memory is not touched any more when this returns. At most once, and not from within what it tells. */
    void close();

    /** Takes out any one request that was under way when it was closed, as one that was not sent; null when there is none left. */
    @Nullable
    LinkRequest removeAny();
}
