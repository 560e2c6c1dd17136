package io.leapnbd.nbd.server;

import io.leapnbd.nbd.NbdUri;
import io.netty.channel.Channel;
import org.jspecify.annotations.Nullable;

/** A socket on which a server accepts clients. Any thread but an event loop's. */
public final class Listener implements AutoCloseable {

    private final Channel channel;
    private final NbdUri uri;
    private final @Nullable UnixSocketFile file;

    Listener(Channel channel, NbdUri uri, @Nullable UnixSocketFile file) {
        this.channel = channel;
        this.uri = uri;
        this.file = file;
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

    /** Accepts no further clients; those that there are stay. Removes the socket file of a Unix socket, if it is still its own. */
    @Override
    public void close() {
        boolean first = channel.isOpen();
        channel.close().awaitUninterruptibly();
        if (first && file != null) {
            file.close();
        }
    }
}
