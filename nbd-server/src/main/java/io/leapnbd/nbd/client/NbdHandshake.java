package io.leapnbd.nbd.client;

import static io.leapnbd.nbd.protocol.Negotiation.*;

import io.leapnbd.nbd.Printable;
import io.leapnbd.nbd.protocol.Transmission;
import java.io.EOFException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.ByteChannel;
import java.nio.charset.StandardCharsets;
import org.jspecify.annotations.Nullable;

/**
 * The client's side of the handshake ("Fixed newstyle negotiation"), and nothing beyond: when it returns, the next byte
 * in either direction is the transmission phase's, so the socket can be handed to a kernel.
 *
 * <p>Opens the export with GO, and with EXPORT_NAME where the server does not know that. Deadlines are the channel's.
 */
public final class NbdHandshake {

    /** Longest reply to an option that is sensible: a name or description and what goes with it. */
    private static final int MAX_REPLY = 64 << 10;

    /** Replies to one option, so that a server cannot keep a client for ever. */
    private static final int MAX_REPLIES = 1024;

    private final ByteChannel channel;
    private final String export;
    private String name;
    private String description = "";
    private long size = -1;
    private int transmissionFlags;
    private long minBlock = Transmission.MIN_BLOCK;
    private long preferredBlock = Transmission.PREFERRED_BLOCK;
    private long maxPayload = Transmission.MAX_PAYLOAD;

    /** Puts TLS between a channel and the socket below it. */
    @FunctionalInterface
    public interface Security {

        /**
         * Shakes hands; what the channel reads and writes after that is protected.
         *
         * @throws IOException if the two ends do not come to terms
         */
        void begin() throws IOException;
    }

    private NbdHandshake(ByteChannel channel, String export) {
        this.channel = channel;
        this.export = export;
        this.name = export;
    }

    /**
     * Opens an export over a fresh connection.
     *
     * @param channel in blocking mode, or otherwise one whose reads and writes wait until they can do something
     * @param export the export's name; empty for the server's default
     * @param structured whether to ask for structured replies; the Linux kernel does not understand them
     * @throws TlsRequiredException when the server wants TLS
     * @throws IOException when the server refuses, in the server's words where it has some, or speaks another protocol
     */
    public static NegotiatedExport open(ByteChannel channel, String export, boolean structured) throws IOException {
        return open(channel, export, structured, null);
    }

    /**
     * Likewise, with TLS ("NBD_OPT_STARTTLS").
     *
     * @param security is begun before anything is said of the export; null for none
     */
    public static NegotiatedExport open(
            ByteChannel channel, String export, boolean structured, @Nullable Security security) throws IOException {
        return new NbdHandshake(channel, export).open(structured, security);
    }

    private NegotiatedExport open(boolean askStructured, @Nullable Security security) throws IOException {
        ByteBuffer greeting = read(GREETING_SIZE);
        if (greeting.getLong() != GREETING_MAGIC || greeting.getLong() != OPTION_MAGIC) {
            throw new IOException("there is no newstyle NBD server at the other end");
        }
        int offered = Short.toUnsignedInt(greeting.getShort());
        int flags = offered & (FLAG_FIXED_NEWSTYLE | FLAG_NO_ZEROES);
        write(ByteBuffer.allocate(Integer.BYTES).putInt(flags).flip());
        boolean fixed = (flags & FLAG_FIXED_NEWSTYLE) != 0;
        if (security != null) {
            startTls(fixed, security);
        }
        boolean structured = fixed && askStructured && structuredReplies();
        if (!fixed || !go()) {
            exportName((flags & FLAG_NO_ZEROES) != 0);
        }
        if (size <= 0) {
            throw new IOException("the server says that export '" + Printable.of(name) + "' has no bytes");
        }
        return new NegotiatedExport(
                name, size, transmissionFlags, description, minBlock, preferredBlock, maxPayload, structured);
    }

    private void startTls(boolean fixed, Security security) throws IOException {
        if (!fixed) {
            throw new IOException("the server is too old for TLS");
        }
        option(OPT_STARTTLS, ByteBuffer.allocate(0));
        Reply reply = reply(OPT_STARTTLS);
        if (reply.type != REP_ACK) {
            String words = reply.data.hasRemaining() ? ": " + Printable.of(text(reply.data)) : "";
            throw new IOException("the server does not speak TLS" + words);
        }
        security.begin();
    }

    private boolean structuredReplies() throws IOException {
        option(OPT_STRUCTURED_REPLY, ByteBuffer.allocate(0));
        return reply(OPT_STRUCTURED_REPLY).type == REP_ACK;
    }

    /** Opens with GO; returns false when the server does not know that option. */
    private boolean go() throws IOException {
        byte[] bytes = export.getBytes(StandardCharsets.UTF_8);
        option(
                OPT_GO,
                ByteBuffer.allocate(Integer.BYTES + bytes.length + 4 * Short.BYTES)
                        .putInt(bytes.length)
                        .put(bytes)
                        .putShort((short) 3)
                        .putShort((short) INFO_NAME)
                        .putShort((short) INFO_DESCRIPTION)
                        .putShort((short) INFO_BLOCK_SIZE)
                        .flip());
        for (int i = 0; i < MAX_REPLIES; i++) {
            Reply reply = reply(OPT_GO);
            if (reply.type == REP_ACK) {
                return true;
            } else if (reply.type == REP_ERR_UNSUP) {
                return false;
            } else if (reply.type < 0) {
                throw refusal(reply);
            } else if (reply.type == REP_INFO) {
                information(reply.data);
            }
        }
        throw new IOException("the server does not come to the end of its handshake");
    }

    private void information(ByteBuffer data) throws IOException {
        if (data.remaining() < Short.BYTES) {
            throw new IOException("the server sends an information of " + data.remaining() + " bytes");
        }
        int type = data.getShort();
        switch (type) {
            case INFO_EXPORT -> {
                require(data, Long.BYTES + Short.BYTES);
                size = data.getLong();
                transmissionFlags = Short.toUnsignedInt(data.getShort());
            }
            case INFO_BLOCK_SIZE -> {
                require(data, 3 * Integer.BYTES);
                minBlock = Integer.toUnsignedLong(data.getInt());
                preferredBlock = Integer.toUnsignedLong(data.getInt());
                maxPayload = Integer.toUnsignedLong(data.getInt());
            }
            case INFO_NAME -> name = text(data);
            case INFO_DESCRIPTION -> description = text(data);
            default -> {
                // "The client MUST ignore information replies it does not understand."
            }
        }
    }

    private static void require(ByteBuffer data, int bytes) throws IOException {
        if (data.remaining() != bytes) {
            throw new IOException("the server sends an information of the wrong length");
        }
    }

    private void exportName(boolean noZeroes) throws IOException {
        option(OPT_EXPORT_NAME, ByteBuffer.wrap(export.getBytes(StandardCharsets.UTF_8)));
        ByteBuffer reply;
        try {
            reply = read(Long.BYTES + Short.BYTES + (noZeroes ? 0 : EXPORT_NAME_PADDING));
        } catch (EOFException e) {
            throw new IOException(
                    "the server has closed the connection; it may have no export '" + Printable.of(export) + "'", e);
        }
        size = reply.getLong();
        transmissionFlags = Short.toUnsignedInt(reply.getShort());
    }

    private IOException refusal(Reply reply) {
        String words = reply.data.hasRemaining() ? ": " + Printable.of(text(reply.data)) : "";
        if (reply.type == REP_ERR_TLS_REQD) {
            return new TlsRequiredException("the server wants TLS, for which URIs begin with nbds:" + words);
        }
        return new IOException(
                switch (reply.type) {
                    case REP_ERR_UNKNOWN -> "the server has no export '" + Printable.of(export) + "'" + words;
                    case REP_ERR_SHUTDOWN -> "the server is shutting down" + words;
                    default -> "the server refuses export '" + Printable.of(export) + "'" + words;
                });
    }

    private void option(int option, ByteBuffer data) throws IOException {
        write(ByteBuffer.allocate(OPTION_HEADER_SIZE + data.remaining())
                .putLong(OPTION_MAGIC)
                .putInt(option)
                .putInt(data.remaining())
                .put(data)
                .flip());
    }

    private Reply reply(int option) throws IOException {
        ByteBuffer header = read(OPTION_REPLY_HEADER_SIZE);
        if (header.getLong() != OPTION_REPLY_MAGIC || header.getInt() != option) {
            throw new IOException("the server does not answer the option that it was sent");
        }
        int type = header.getInt();
        int length = header.getInt();
        if (length < 0 || length > MAX_REPLY) {
            throw new IOException("the server announces a reply of " + Integer.toUnsignedString(length) + " bytes");
        }
        return new Reply(type, read(length));
    }

    private ByteBuffer read(int bytes) throws IOException {
        ByteBuffer buffer = ByteBuffer.allocate(bytes);
        while (buffer.hasRemaining()) {
            if (channel.read(buffer) < 0) {
                throw new EOFException("the server has closed the connection during the handshake");
            }
        }
        return buffer.flip();
    }

    private void write(ByteBuffer bytes) throws IOException {
        while (bytes.hasRemaining()) {
            channel.write(bytes);
        }
    }

    private static String text(ByteBuffer data) {
        return StandardCharsets.UTF_8.decode(data).toString();
    }

    private record Reply(int type, ByteBuffer data) {}
}
