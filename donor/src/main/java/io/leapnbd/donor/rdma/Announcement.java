package io.leapnbd.donor.rdma;

import io.leapnbd.donor.protocol.Protocol;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.UUID;

/**
 * What a server sends along when it wants to connect: for which export. The donor has to know before there is a queue pair, as
 * each export's memory is in a protection domain of its own, out of reach of all others.
 *
 * <pre>
 *  0                                                                               8
 * +-------------------------------------------------------------------------------+
 * |               magic number: "LEAPDNR" and a zero byte                         |
 * +-------------------------------------------------------------------------------+
 * |      digest of the export's name: a version 3 UUID (MD5) of its bytes         |
 * |                                                                               |
 * +-------------------------------------------------------------------------------+
 * </pre>
 */
public final class Announcement {

    /** Bytes. */
    public static final int LENGTH = 24;

    private Announcement() {}

    /** What stands for an export. */
    public static UUID digest(String export) {
        return UUID.nameUUIDFromBytes(export.getBytes(StandardCharsets.UTF_8));
    }

    /** Writes one. */
    public static void encode(String export, ByteBuffer to) {
        UUID digest = digest(export);
        to.putLong(Protocol.MAGIC).putLong(digest.getMostSignificantBits()).putLong(digest.getLeastSignificantBits());
    }

    /** The digest; that of no export if it is no announcement. */
    public static UUID decode(byte[] data) {
        if (data.length < LENGTH) {
            return new UUID(0, 0);
        }
        ByteBuffer in = ByteBuffer.wrap(data);
        return in.getLong() == Protocol.MAGIC ? new UUID(in.getLong(), in.getLong()) : new UUID(0, 0);
    }
}
