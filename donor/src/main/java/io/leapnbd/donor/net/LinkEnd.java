package io.leapnbd.donor.net;

import io.netty.channel.Channel;
import io.netty.channel.ChannelConfig;
import io.netty.channel.ChannelException;
import io.netty.channel.ChannelFuture;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.socket.DuplexChannel;
import io.netty.channel.socket.SocketChannelConfig;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * How a link over TCP ends. A server takes a FIN behind whole or broken replies, with no last word, for the end of this process: {@code
 * docs/ownership.md}, rule 4. So while the process lives, a link of a claim ends by a reset, or by a FIN when the peer was told why.
 *
 * <p>The loop's thread, except {@link #byResetOnly}.
 */
final class LinkEnd {

    private static final Logger LOG = LoggerFactory.getLogger(LinkEnd.class);

    private final Channel channel;

    /** Whether all has been written that the peer needs to tell this end from that of the process. */
    private boolean told;

    private volatile boolean resets;

    LinkEnd(Channel channel) {
        this.channel = channel;
    }

    /**
     * From here on the connection ends by a reset, whoever ends it, until {@link #afterLastMessage} has written the last message. The kernel
     * keeps to it if this process is killed. Any thread.
     */
    void byResetOnly() {
        resets = true;
        linger(0);
    }

    /** Ends it at once. */
    void now(boolean claimed) {
        if (claimed && !told) {
            linger(0);
        }
        // At the socket: TLS would send a last record first, and wait until that has left.
        ChannelHandlerContext first = channel.pipeline().firstContext();
        ChannelFuture _ = first == null ? channel.close() : first.close();
    }

    /**
     * Sends a FIN when the socket has taken all that was written; the last of it says why the link ends. Our half only: bytes that were not
     * read when a socket is closed make the kernel reset the connection, and the peer would lose what says why.
     */
    void afterLastMessage() {
        ChannelFuture written = channel.writeAndFlush(channel.alloc().buffer(0));
        written.addListener(done -> {
            if (done.isSuccess()) {
                told = true;
                if (resets) {
                    linger(-1);
                }
                shutdownOutput();
            }
        });
    }

    /** Sends a FIN behind what was written, as this process ends; but not on a link whose peer must not believe so. */
    void withProcess() {
        if (!resets) {
            ChannelFuture written = channel.writeAndFlush(channel.alloc().buffer(0));
            written.addListener(_ -> shutdownOutput());
        }
    }

    private void shutdownOutput() {
        ChannelFuture _ = channel instanceof DuplexChannel socket ? socket.shutdownOutput() : channel.close();
    }

    /** Seconds that a close may wait for what was not sent; 0 resets the connection, -1 is usual. */
    private void linger(int seconds) {
        if (!channel.isOpen()) {
            return;
        }
        try {
            ChannelConfig config = channel.config();
            if (config instanceof SocketChannelConfig socket) {
                SocketChannelConfig _ = socket.setSoLinger(seconds);
            }
        } catch (ChannelException e) {
            LOG.debug("{} is closed already", channel.remoteAddress());
        }
    }
}
