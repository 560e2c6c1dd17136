package io.leapnbd.nbd.server;

import io.netty.channel.ChannelOutboundBuffer;
import io.netty.channel.EventLoop;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/**
 * Ends a connection whose client stands still in the middle of something that holds the server's memory: a payload that does
 * not go on arriving, or replies that do not go on leaving. Looks three times in the time that a client has, and ends what
 * has not moved between four looks; so a server that was stopped itself does not blame its clients. Belongs to the
 * connection's event loop.
 */
final class StallWatch {

    private static final int LOOKS = 3;

    /** A payload that arrives more slowly than this many bytes a second, beyond the time that it has anyway, is given up. */
    private static final long LEAST_RATE = 256 << 10;

    private final Connection connection;
    private final long limitNanos;
    private final Runnable look = this::look;

    private boolean watching;
    private long payloadBytes;
    private long payloadNanos;
    private int payloadLooks;
    private int payloadAge;
    private @Nullable Object firstReply;
    private long firstSent;
    private int replyLooks;

    StallWatch(Connection connection, long limitNanos) {
        this.connection = connection;
        this.limitNanos = limitNanos;
    }

    /** Something is under way from now on. */
    void begin() {
        if (!watching) {
            watching = true;
            payloadLooks = 0;
            payloadAge = 0;
            replyLooks = 0;
            note();
            again();
        }
    }

    private void again() {
        EventLoop loop = connection.channel.eventLoop();
        var _ = loop.schedule(look, limitNanos / LOOKS, TimeUnit.NANOSECONDS);
    }

    private void look() {
        ChannelOutboundBuffer replies = connection.channel.unsafe().outboundBuffer();
        if (replies == null || connection.closing()) {
            watching = false;
            firstReply = null;
            return;
        }
        boolean unsent = connection.replies.waits();
        boolean arriving = connection.payload.arrives();
        replyLooks = unsent && !repliesMoved(replies) ? replyLooks + 1 : 0;
        boolean same = arriving && connection.payload.sinceNanos() == payloadNanos;
        payloadAge = same ? payloadAge + 1 : 0;
        payloadLooks = same && connection.payload.bytes() == payloadBytes ? payloadLooks + 1 : 0;
        if (replyLooks >= LOOKS) {
            connection.drop("it has not taken any of its replies for " + seconds());
        } else if (payloadLooks >= LOOKS) {
            connection.drop("nothing of a write's payload has come for " + seconds());
        } else if (arriving && isSlow()) {
            connection.drop("a write's payload of " + connection.payload.length() + " bytes comes too slowly");
        } else if (unsent || arriving) {
            note();
            again();
            return;
        }
        watching = false;
        firstReply = null;
    }

    /** In looks, not by the clock, which goes on while this process is stopped. */
    private boolean isSlow() {
        long most = limitNanos + connection.payload.length() * TimeUnit.SECONDS.toNanos(1) / LEAST_RATE;
        return payloadAge > LOOKS * most / limitNanos;
    }

    @SuppressWarnings("ReferenceEquality") // The same reply, not an equal one.
    private boolean repliesMoved(ChannelOutboundBuffer replies) {
        return replies.current() != firstReply || replies.currentProgress() != firstSent;
    }

    private void note() {
        payloadBytes = connection.payload.bytes();
        payloadNanos = connection.payload.sinceNanos();
        ChannelOutboundBuffer replies = connection.channel.unsafe().outboundBuffer();
        if (replies != null) {
            firstReply = replies.current();
            firstSent = firstReply == null ? 0 : replies.currentProgress();
        }
    }

    private String seconds() {
        return TimeUnit.NANOSECONDS.toSeconds(limitNanos) + " s";
    }
}
