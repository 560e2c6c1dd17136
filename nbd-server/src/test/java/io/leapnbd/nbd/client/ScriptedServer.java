package io.leapnbd.nbd.client;

import static io.leapnbd.nbd.protocol.Negotiation.*;

import io.leapnbd.nbd.NbdUri;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;

/** A server for one client that says what a test tells it to. */
final class ScriptedServer implements AutoCloseable {

    private final ServerSocket listener;
    private final Thread thread;

    /** What the server says and hears. */
    @FunctionalInterface
    interface Script {
        void run(DataInputStream in, DataOutputStream out) throws IOException;
    }

    ScriptedServer(Script script) throws IOException {
        listener = new ServerSocket(0, 1, InetAddress.getLoopbackAddress());
        thread = Thread.ofVirtual().start(() -> {
            try (Socket socket = listener.accept()) {
                script.run(
                        new DataInputStream(socket.getInputStream()), new DataOutputStream(socket.getOutputStream()));
                // Keeps the connection open until the client has had enough.
                while (socket.getInputStream().read() >= 0) {}
            } catch (IOException e) {
                // The client or the test has closed.
            }
        });
    }

    NbdUri uri() {
        return NbdUri.tcp("localhost", listener.getLocalPort(), "leap");
    }

    static void greet(DataInputStream in, DataOutputStream out, int flags) throws IOException {
        out.writeLong(GREETING_MAGIC);
        out.writeLong(OPTION_MAGIC);
        out.writeShort(flags);
        in.readInt();
    }

    /** Reads an option and returns its number. */
    static int option(DataInputStream in) throws IOException {
        in.readLong();
        int option = in.readInt();
        in.skipNBytes(in.readInt());
        return option;
    }

    static void reply(DataOutputStream out, int option, int type, byte... data) throws IOException {
        out.writeLong(OPTION_REPLY_MAGIC);
        out.writeInt(option);
        out.writeInt(type);
        out.writeInt(data.length);
        out.write(data);
    }

    @Override
    public void close() throws IOException {
        listener.close();
        thread.interrupt();
    }
}
