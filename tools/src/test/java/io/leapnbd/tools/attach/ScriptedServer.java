package io.leapnbd.tools.attach;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.ClosedChannelException;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;

/** A server that shakes hands and then holds the connection, until a test drops it. Says of its export what it is told to. */
final class ScriptedServer implements AutoCloseable {
    static final long SIZE = 1 << 20;
    static final int FLAGS = 0x125;

    private final Path path;
    private final ServerSocketChannel listener;
    private final Queue<SocketChannel> connections = new ConcurrentLinkedQueue<>();
    private final String description;

    ScriptedServer(Path path, String description) throws IOException {
        this.path = path;
        this.description = description;
        listener = ServerSocketChannel.open(StandardProtocolFamily.UNIX).bind(UnixDomainSocketAddress.of(path));
        Thread.ofVirtual().start(this::serve);
    }

    static Server at(Path path) {
        return Server.parse("nbd+unix:///leap?socket=" + path);
    }

    private void serve() {
        try {
            while (true) {
                SocketChannel connection = listener.accept();
                connections.add(connection);
                try {
                    shakeHands(connection);
                } catch (ClosedChannelException e) {
                    // Dropped while it was greeted: a client that is quick comes back before drop() has ended.
                    connection.close();
                }
            }
        } catch (ClosedChannelException e) {
            return; // the test is over
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private void shakeHands(SocketChannel connection) throws IOException {
        byte[] words = description.getBytes(StandardCharsets.UTF_8);
        ByteBuffer out = ByteBuffer.allocate(512);
        out.putLong(0x4e42444d41474943L).putLong(0x49484156454f5054L).putShort((short) 3);
        connection.write(out.flip());
        ByteBuffer in = ByteBuffer.allocate(4 + 16);
        while (in.hasRemaining()) {
            if (connection.read(in) < 0) {
                return;
            }
        }
        ByteBuffer option = ByteBuffer.allocate(in.getInt(16));
        while (option.hasRemaining()) {
            if (connection.read(option) < 0) {
                return;
            }
        }
        out.clear();
        reply(out, 3, 12).putShort((short) 0).putLong(SIZE).putShort((short) FLAGS);
        reply(out, 3, 2 + words.length).putShort((short) 2).put(words);
        reply(out, 1, 0);
        connection.write(out.flip());
    }

    private static ByteBuffer reply(ByteBuffer out, int type, int length) {
        return out.putLong(0x3e889045565a9L).putInt(7).putInt(type).putInt(length);
    }

    /** Ends all connections, as a server that is killed does. */
    void drop() throws IOException {
        for (SocketChannel connection = connections.poll(); connection != null; connection = connections.poll()) {
            connection.close();
        }
    }

    @Override
    public void close() throws IOException {
        listener.close();
        Files.deleteIfExists(path);
        drop();
    }
}
