package io.leapnbd.nbd.testing;

import io.leapnbd.nbd.NbdUri;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Objects;

/** Somebody on the wire between one client and a server: passes on what a test has him pass on, and keeps what the client has sent. */
public final class Middle implements AutoCloseable {

    private final NbdUri server;
    private final Way toServer;
    private final Way toClient;
    private final ServerSocket listener = new ServerSocket(0, 1, InetAddress.getLoopbackAddress());
    private final List<Socket> sockets = new ArrayList<>();
    private final ByteArrayOutputStream fromClient = new ByteArrayOutputStream();

    /** What becomes of bytes that have arrived together. One thread a direction. */
    @FunctionalInterface
    public interface Way {

        /** They go on as they are. */
        Way AS_IT_IS = (bytes, onward, back) -> onward.write(bytes);

        /**
         * Does with them what it likes.
         *
         * @param onward to whom they were sent
         * @param back to who has sent them
         */
        void pass(byte[] bytes, OutputStream onward, OutputStream back) throws IOException;
    }

    /** In front of a server that listens on TCP. */
    public Middle(NbdUri server, Way toServer, Way toClient) throws IOException {
        this.server = server;
        this.toServer = toServer;
        this.toClient = toClient;
        var _ = Thread.ofPlatform().daemon().start(this::connect);
    }

    /** Where a client finds him, who seems to be the server. */
    public NbdUri uri() {
        return NbdUri.tcp("127.0.0.1", listener.getLocalPort(), server.export());
    }

    /** What the client has sent so far. */
    public byte[] fromClient() {
        synchronized (fromClient) {
            return fromClient.toByteArray();
        }
    }

    private void connect() {
        try {
            Socket client = keep(listener.accept());
            Socket behind = keep(new Socket(Objects.requireNonNull(server.host()), server.port()));
            var _ = Thread.ofPlatform().daemon().start(() -> pump(behind, client, toClient, false));
            pump(client, behind, toServer, true);
        } catch (IOException e) {
            // The test is over.
            return;
        }
    }

    private Socket keep(Socket socket) throws IOException {
        socket.setTcpNoDelay(true);
        synchronized (sockets) {
            sockets.add(socket);
        }
        return socket;
    }

    private void pump(Socket from, Socket to, Way way, boolean kept) {
        byte[] buffer = new byte[64 << 10];
        try (from;
                to) {
            InputStream in = from.getInputStream();
            for (int length = in.read(buffer); length >= 0; length = in.read(buffer)) {
                if (kept) {
                    synchronized (fromClient) {
                        fromClient.write(buffer, 0, length);
                    }
                }
                way.pass(Arrays.copyOf(buffer, length), to.getOutputStream(), from.getOutputStream());
            }
        } catch (IOException e) {
            // One end has closed its connection, and so the other one's is closed.
            return;
        }
    }

    @Override
    public void close() throws IOException {
        listener.close();
        synchronized (sockets) {
            for (Socket socket : sockets) {
                socket.close();
            }
        }
    }
}
