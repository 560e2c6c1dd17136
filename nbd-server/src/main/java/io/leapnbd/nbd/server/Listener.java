package io.leapnbd.nbd.server;

import io.leapnbd.nbd.NbdUri;
import io.netty.channel.Channel;

/** A socket on which a server accepts clients. Any thread but an event loop's. */
public final class Listener implements AutoCloseable {

    private final Channel channel;
    private final NbdUri uri;

    Listener(Channel channel, NbdUri uri) {
        this.channel = channel;
        this.uri = uri;
    }

    /** Where it listens, as a client would say it, with the port that was bound; for the default export. */
    public NbdUri uri() {
        return uri;
    }

    /** The same for a named export. */
    public NbdUri uri(String export) {
        return uri.withExport(export);
    }

    boolean isOpen() {
        return channel.isOpen();
    }

    /** Accepts no further clients; those that there are stay. Removes the socket file of a Unix socket. */
    @Override
    public void close() {
        channel.close().awaitUninterruptibly();
    }
}
