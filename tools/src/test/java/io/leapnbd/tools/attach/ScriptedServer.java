package io.leapnbd.tools.attach;

import io.leapnbd.tools.client.FirstPage;
import io.leapnbd.tools.client.Server;
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

/**
 * A server that shakes hands and then reads and writes the first page, until a test drops the connection. Says of its export what
 * it is told to.
 */
final class ScriptedServer implements AutoCloseable {
    static final long SIZE = 1 << 20;
    static final int FLAGS = 0x125;

    private final Path path;
    private final ServerSocketChannel listener;
    private final Queue<SocketChannel> connections = new ConcurrentLinkedQueue<>();
    private final String description;
    /** What the export begins with. */
    final byte[] page = new byte[FirstPage.SIZE];
    /** What requests are answered with. */
    volatile int error;

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
                    Thread.ofVirtual().start(() -> transmit(connection));
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

    private void transmit(SocketChannel connection) {
        try {
            while (true) {
                ByteBuffer request = receive(connection, 28);
                boolean write = request.getShort(6) == 1;
                ByteBuffer data = write ? receive(connection, FirstPage.SIZE) : ByteBuffer.allocate(0);
                ByteBuffer out = ByteBuffer.allocate(16 + FirstPage.SIZE);
                out.putInt(0x67446698).putInt(error).putLong(request.getLong(8));
                synchronized (page) {
                    if (error == 0 && write) {
                        data.get(page);
                    } else if (error == 0) {
                        out.put(page);
                    }
                }
                connection.write(out.flip());
            }
        } catch (IOException e) {
            return; // the client has gone, or the test is over
        }
    }

    private static ByteBuffer receive(SocketChannel connection, int bytes) throws IOException {
        ByteBuffer in = ByteBuffer.allocate(bytes);
        while (in.hasRemaining()) {
            if (connection.read(in) < 0) {
                throw new ClosedChannelException();
            }
        }
        return in.flip();
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
