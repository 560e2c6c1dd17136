package io.leapnbd.nbd.client;

import java.io.EOFException;
import java.io.IOException;
import java.io.InterruptedIOException;
import java.net.SocketAddress;
import java.net.SocketTimeoutException;
import java.net.StandardProtocolFamily;
import java.net.StandardSocketOptions;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.ByteChannel;
import java.nio.channels.SelectionKey;
import java.nio.channels.Selector;
import java.nio.channels.SocketChannel;
import java.time.Duration;
import javax.net.ssl.SSLEngine;
import javax.net.ssl.SSLException;
import org.jspecify.annotations.Nullable;

/**
 * A TCP or Unix stream socket whose reads and writes wait, but never longer than a timeout. It can be {@linkplain #startTls secured} in the
 * middle. One thread at a time.
 */
public final class TimedChannel implements ByteChannel {

    private final SocketChannel socket;
    private final Selector selector;
    private final SelectionKey key;
    private final long timeoutNanos;
    private @Nullable TlsLayer tls;

    private TimedChannel(SocketChannel socket, Selector selector, SelectionKey key, long timeoutNanos) {
        this.socket = socket;
        this.selector = selector;
        this.key = key;
        this.timeoutNanos = timeoutNanos;
    }

    /**
     * Connects.
     *
     * @param timeout for connecting, and later for every read and write
     * @throws IOException when there is nobody, or not in time
     */
    public static TimedChannel connect(SocketAddress address, Duration timeout) throws IOException {
        boolean unix = address instanceof UnixDomainSocketAddress;
        SocketChannel socket = unix ? SocketChannel.open(StandardProtocolFamily.UNIX) : SocketChannel.open();
        Selector selector = null;
        try {
            if (!unix) {
                socket.setOption(StandardSocketOptions.TCP_NODELAY, true);
            }
            socket.configureBlocking(false);
            selector = Selector.open();
            SelectionKey key = socket.register(selector, 0);
            TimedChannel channel = new TimedChannel(socket, selector, key, timeout.toNanos());
            if (!socket.connect(address)) {
                long deadline = channel.deadline();
                do {
                    channel.await(SelectionKey.OP_CONNECT, deadline);
                } while (!socket.finishConnect());
            }
            return channel;
        } catch (IOException | RuntimeException e) {
            socket.close();
            if (selector != null) {
                selector.close();
            }
            throw new IOException("cannot connect to " + address + ": " + e.getMessage(), e);
        }
    }

    /** {@link System#nanoTime} at which something that begins now has taken too long. */
    long deadline() {
        return System.nanoTime() + timeoutNanos;
    }

    /** Waits until the socket is ready for one of {@code operations}. */
    void await(int operations, long deadline) throws IOException {
        key.interestOps(operations);
        while (true) {
            long left = deadline - System.nanoTime();
            if (left <= 0) {
                throw new SocketTimeoutException("no answer within " + timeoutNanos / 1_000_000 + " ms");
            }
            int ready = selector.select(left / 1_000_000 + 1);
            selector.selectedKeys().clear();
            if (ready > 0) {
                return;
            }
            if (Thread.currentThread().isInterrupted()) {
                throw new InterruptedIOException("interrupted while waiting for the server");
            }
        }
    }

    /**
     * What comes and goes from now on is within TLS. Waits for the other end's part of it.
     *
     * @throws IOException if the two do not come to terms, in words for the user
     */
    void startTls(SSLEngine engine) throws IOException {
        TlsLayer layer = new TlsLayer(engine, socket);
        try {
            long deadline = deadline();
            while (!layer.shakeHands()) {
                await(layer.unsent() ? SelectionKey.OP_WRITE : SelectionKey.OP_READ, deadline);
            }
        } catch (SSLException | EOFException e) {
            throw new IOException("TLS with the server fails: " + e.getMessage(), e);
        }
        tls = layer;
    }

    /** Whether something was taken by {@link #tryWrite} that has not left. */
    boolean unsent() {
        TlsLayer layer = tls;
        return layer != null && layer.unsent();
    }

    /** Reads what there is now, without waiting; 0 when that is nothing, -1 at the end. */
    int tryRead(ByteBuffer into) throws IOException {
        TlsLayer layer = tls;
        return layer == null ? socket.read(into) : layer.read(into);
    }

    /** Writes what goes now, without waiting; goes on until nothing is {@linkplain #unsent}. */
    long tryWrite(ByteBuffer[] from) throws IOException {
        TlsLayer layer = tls;
        return layer == null ? socket.write(from) : layer.write(from);
    }

    @Override
    public int read(ByteBuffer into) throws IOException {
        int bytes = tryRead(into);
        if (bytes != 0 || !into.hasRemaining()) {
            return bytes;
        }
        long deadline = deadline();
        do {
            await(SelectionKey.OP_READ, deadline);
            bytes = tryRead(into);
        } while (bytes == 0);
        return bytes;
    }

    @Override
    public int write(ByteBuffer from) throws IOException {
        ByteBuffer[] all = {from};
        int before = from.remaining();
        boolean _ = tryWrite(all) > 0;
        long deadline = deadline();
        while (unsent() || (before > 0 && from.remaining() == before)) {
            await(SelectionKey.OP_WRITE, deadline);
            boolean _ = tryWrite(all) > 0;
        }
        return before - from.remaining();
    }

    @Override
    public boolean isOpen() {
        return socket.isOpen();
    }

    @Override
    public void close() throws IOException {
        selector.close();
        socket.close();
    }
}
