package io.leapnbd.tools.attach;

import java.io.EOFException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.ByteChannel;
import java.nio.charset.StandardCharsets;

/**
 * The client's side of the fixed newstyle handshake, by NBD_OPT_GO and nothing else: the kernel's driver speaks simple
 * replies only. See the protocol document, "Fixed newstyle negotiation". Reads no byte beyond the handshake, since the
 * next one is the driver's.
 */
final class Handshake {
    private static final long GREETING = 0x4e42444d41474943L;
    private static final long OPTION = 0x49484156454f5054L;
    private static final long OPTION_REPLY = 0x3e889045565a9L;
    private static final int FIXED_NEWSTYLE = 1;
    private static final int NO_ZEROES = 2;
    private static final int OPT_GO = 7;
    private static final int REP_ACK = 1;
    private static final int REP_INFO = 3;
    private static final int INFO_EXPORT = 0;
    private static final int INFO_DESCRIPTION = 2;
    private static final int INFO_BLOCK_SIZE = 3;
    /** Longest string of the protocol, and some. */
    private static final int LONGEST_REPLY = 8192;

    private final ByteChannel channel;
    private final ByteBuffer buffer = ByteBuffer.allocate(LONGEST_REPLY);

    Handshake(ByteChannel channel) {
        this.channel = channel;
    }

    /**
     * Enters the transmission phase with the named export.
     *
     * @throws IOException when the server refuses, in one sentence that carries its own words
     */
    ExportInfo go(String export) throws IOException {
        read(18);
        if (buffer.getLong() != GREETING || buffer.getLong() != OPTION) {
            throw new IOException("what answers there is not a newstyle NBD server");
        }
        int serverFlags = buffer.getShort();
        if ((serverFlags & FIXED_NEWSTYLE) == 0) {
            throw new IOException("the NBD server is too old: it does not know NBD_OPT_GO");
        }
        byte[] name = export.getBytes(StandardCharsets.UTF_8);
        buffer.clear();
        buffer.putInt(serverFlags & (FIXED_NEWSTYLE | NO_ZEROES));
        buffer.putLong(OPTION).putInt(OPT_GO).putInt(4 + name.length + 2 + 4);
        buffer.putInt(name.length).put(name);
        buffer.putShort((short) 2).putShort((short) INFO_DESCRIPTION).putShort((short) INFO_BLOCK_SIZE);
        buffer.flip();
        while (buffer.hasRemaining()) {
            channel.write(buffer);
        }
        return replies(export);
    }

    private ExportInfo replies(String export) throws IOException {
        long size = -1;
        int flags = 0;
        String description = "";
        while (true) {
            read(20);
            if (buffer.getLong() != OPTION_REPLY || buffer.getInt() != OPT_GO) {
                throw new IOException("the NBD server's answer to NBD_OPT_GO is malformed");
            }
            int type = buffer.getInt();
            int length = buffer.getInt();
            if (length < 0 || length > LONGEST_REPLY) {
                throw new IOException("the NBD server's answer to NBD_OPT_GO is too long");
            }
            read(length);
            if (type == REP_ACK) {
                if (size < 0) {
                    throw new IOException("the NBD server did not tell the size of the export");
                }
                return new ExportInfo(size, flags, description);
            }
            if (type < 0) {
                throw new IOException("the NBD server refuses export '" + export + "': " + reason(type, text()));
            }
            if (type == REP_INFO && length >= 2) {
                int info = buffer.getShort();
                if (info == INFO_EXPORT && length == 12) {
                    size = buffer.getLong();
                    flags = Short.toUnsignedInt(buffer.getShort());
                } else if (info == INFO_DESCRIPTION) {
                    description = text();
                }
            }
        }
    }

    private String text() {
        return StandardCharsets.UTF_8.decode(buffer).toString();
    }

    private static String reason(int type, String words) {
        String meaning = switch (type & 0xffff) {
            case 2 -> "not allowed";
            case 5 -> "it wants TLS, which the kernel's client does not speak";
            case 6 -> "unknown export";
            case 7 -> "it is shutting down";
            default -> "error " + (type & 0xffff);
        };
        return words.isBlank() ? meaning : meaning + " (" + words.strip() + ")";
    }

    private void read(int bytes) throws IOException {
        buffer.clear().limit(bytes);
        while (buffer.hasRemaining()) {
            if (channel.read(buffer) < 0) {
                throw new EOFException("the NBD server closed the connection during the handshake");
            }
        }
        buffer.flip();
    }
}
