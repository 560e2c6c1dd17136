package io.leapnbd.nbd.testing;

import static io.leapnbd.nbd.protocol.Negotiation.*;
import static io.leapnbd.nbd.protocol.Transmission.*;

import io.leapnbd.nbd.NbdUri;
import io.leapnbd.nbd.spi.Command;
import io.leapnbd.nbd.tls.TlsFolder;
import io.netty.handler.ssl.JdkSslContext;
import java.io.BufferedInputStream;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.EOFException;
import java.io.IOException;
import java.net.Socket;
import java.net.SocketException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLSocket;

/** A client that sends what a test tells it to, right or wrong, and reads replies of either kind. */
public final class RawClient implements AutoCloseable {

    private final Socket socket;
    private final DataInputStream in;
    private final DataOutputStream out;

    public RawClient(NbdUri uri) throws IOException {
        socket = new Socket();
        socket.setReceiveBufferSize(64 << 10);
        socket.connect(uri.address());
        socket.setTcpNoDelay(true);
        socket.setSoTimeout((int) TestServer.PATIENCE.toMillis());
        in = new DataInputStream(new BufferedInputStream(socket.getInputStream()));
        out = new DataOutputStream(socket.getOutputStream());
    }

    /** An option's reply. */
    public record OptionReply(int option, int type, ByteBuffer payload) {

        public byte[] data() {
            byte[] bytes = new byte[payload.capacity()];
            payload.get(0, bytes);
            return bytes;
        }

        public String text() {
            return new String(data(), StandardCharsets.UTF_8);
        }
    }

    /** A simple reply (type -1) or a chunk of a structured one. */
    public record Reply(int type, int flags, long cookie, int error, ByteBuffer payload) {

        public byte[] data() {
            byte[] bytes = new byte[payload.capacity()];
            payload.get(0, bytes);
            return bytes;
        }
    }

    /** Reads the greeting, checks its magic numbers, and returns the handshake flags. */
    public int greeting() throws IOException {
        if (in.readLong() != GREETING_MAGIC || in.readLong() != OPTION_MAGIC) {
            throw new IOException("not a greeting");
        }
        return in.readUnsignedShort();
    }

    public RawClient clientFlags(int flags) throws IOException {
        out.writeInt(flags);
        return this;
    }

    /** Reads the greeting and answers it as fixed newstyle without padding. */
    public RawClient greet() throws IOException {
        greeting();
        return clientFlags(FLAG_FIXED_NEWSTYLE | FLAG_NO_ZEROES);
    }

    public RawClient bytes(byte... bytes) throws IOException {
        out.write(bytes);
        return this;
    }

    public RawClient option(int option, byte... data) throws IOException {
        return bytes(optionBytes(option, data));
    }

    public static byte[] optionBytes(int option, byte... data) {
        return ByteBuffer.allocate(OPTION_HEADER_SIZE + data.length)
                .putLong(OPTION_MAGIC)
                .putInt(option)
                .putInt(data.length)
                .put(data)
                .array();
    }

    /** INFO's and GO's data. */
    public static byte[] goData(String export, int... requests) {
        byte[] name = export.getBytes(StandardCharsets.UTF_8);
        ByteBuffer data = ByteBuffer.allocate(6 + name.length + 2 * requests.length);
        data.putInt(name.length).put(name).putShort((short) requests.length);
        for (int request : requests) {
            data.putShort((short) request);
        }
        return data.array();
    }

    /** LIST_META_CONTEXT's and SET_META_CONTEXT's data. */
    public static byte[] contextData(String export, String... queries) {
        ByteBuffer data = ByteBuffer.allocate(16 << 10);
        byte[] name = export.getBytes(StandardCharsets.UTF_8);
        data.putInt(name.length).put(name).putInt(queries.length);
        for (String query : queries) {
            byte[] bytes = query.getBytes(StandardCharsets.UTF_8);
            data.putInt(bytes.length).put(bytes);
        }
        byte[] exact = new byte[data.flip().remaining()];
        data.get(exact);
        return exact;
    }

    public OptionReply optionReply() throws IOException {
        long magic = in.readLong();
        if (magic != OPTION_REPLY_MAGIC) {
            throw new IOException("not an option reply: " + Long.toHexString(magic));
        }
        int option = in.readInt();
        int type = in.readInt();
        return new OptionReply(option, type, payload(in.readInt()));
    }

    /** Reads replies to an option until the last one, and returns that. */
    public OptionReply lastOptionReply() throws IOException {
        OptionReply reply = optionReply();
        while (reply.type() != REP_ACK && reply.type() >= 0) {
            reply = optionReply();
        }
        return reply;
    }

    /** The whole handshake, for the default export. */
    public RawClient open(boolean structured) throws IOException {
        greet();
        if (structured) {
            option(OPT_STRUCTURED_REPLY).expectAck();
            option(OPT_SET_META_CONTEXT, contextData("", BASE_ALLOCATION)).expectAck();
        }
        return option(OPT_GO, goData("")).expectAck();
    }

    private RawClient expectAck() throws IOException {
        OptionReply reply = lastOptionReply();
        if (reply.type() != REP_ACK) {
            throw new IOException("option " + reply.option() + " was refused: " + reply.text());
        }
        return this;
    }

    public RawClient request(Command command, int flags, long cookie, long offset, long length) throws IOException {
        return request(REQUEST_MAGIC, command.code(), flags, cookie, offset, length);
    }

    public RawClient request(int magic, int type, int flags, long cookie, long offset, long length) throws IOException {
        return bytes(requestBytes(magic, type, flags, cookie, offset, length));
    }

    public static byte[] requestBytes(int magic, int type, int flags, long cookie, long offset, long length) {
        return ByteBuffer.allocate(REQUEST_SIZE)
                .putInt(magic)
                .putShort((short) flags)
                .putShort((short) type)
                .putLong(cookie)
                .putLong(offset)
                .putInt((int) length)
                .array();
    }

    /**
     * Reads one reply.
     *
     * @param data bytes that follow a simple reply without an error
     */
    public Reply reply(int data) throws IOException {
        int magic = in.readInt();
        if (magic == SIMPLE_REPLY_MAGIC) {
            int error = in.readInt();
            return new Reply(-1, 0, in.readLong(), error, payload(error == 0 ? data : 0));
        }
        if (magic != STRUCTURED_REPLY_MAGIC) {
            throw new IOException("not a reply: " + Integer.toHexString(magic));
        }
        int flags = in.readUnsignedShort();
        int type = in.readUnsignedShort();
        long cookie = in.readLong();
        ByteBuffer payload = payload(in.readInt());
        int error = type == CHUNK_ERROR ? payload.getInt(0) : 0;
        return new Reply(type, flags, cookie, error, payload);
    }

    private ByteBuffer payload(int length) throws IOException {
        return ByteBuffer.wrap(in.readNBytes(length));
    }

    /** Goes on within TLS, over the same connection, after STARTTLS was acknowledged. */
    public SSLSocket secure(TlsFolder folder) throws IOException {
        return secure(((JdkSslContext) folder.client()).context());
    }

    /** Likewise, as another client would. */
    public SSLSocket secure(SSLContext context) throws IOException {
        SSLSocket secured =
                (SSLSocket) context.getSocketFactory().createSocket(socket, "localhost", socket.getPort(), true);
        secured.startHandshake();
        return secured;
    }

    /** Likewise, in one version of TLS, like {@code TLSv1.2}. */
    public SSLSocket secure(SSLContext context, String version) throws IOException {
        SSLSocket secured =
                (SSLSocket) context.getSocketFactory().createSocket(socket, "localhost", socket.getPort(), true);
        secured.setEnabledProtocols(new String[] {version});
        secured.startHandshake();
        return secured;
    }

    /** Closes this end's way out only. */
    public void shutdownOutput() throws IOException {
        socket.shutdownOutput();
    }

    /** Closes with a reset, as a client's machine that has lost its mind does. */
    public void reset() throws IOException {
        socket.setSoLinger(true, 0);
        socket.close();
    }

    public int readByte() throws IOException {
        return in.read();
    }

    public byte[] read(int bytes) throws IOException {
        return in.readNBytes(bytes);
    }

    /** Whether the server closes the connection without sending anything more. */
    public boolean closedByServer() throws IOException {
        try {
            return in.read() < 0;
        } catch (EOFException | SocketException e) {
            return true;
        }
    }

    @Override
    public void close() throws IOException {
        socket.close();
    }
}
