package io.leapnbd.donor.protocol;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufUtil;
import java.nio.charset.StandardCharsets;
import java.util.UUID;

/**
 * The body of a hello.
 *
 * @param minVersion lowest protocol version that the server speaks
 * @param maxVersion highest protocol version that the server speaks
 * @param lane number of the server's event loop that this link belongs to; for people
 * @param epoch the claim, 1 to {@link Version#MAX_EPOCH}; 0 only observes
 * @param instance random number of the server process
 * @param content random number that the export's contents were given when they began, blank; kept by the donor with the
 *     claim, so that a later server can tell whether it found the same contents
 * @param export name of the export, 1 to {@link Protocol#MAX_EXPORT_NAME} bytes in UTF-8
 */
public record Hello(int minVersion, int maxVersion, int lane, long epoch, UUID instance, UUID content, String export) {

    /** Bytes before the name. */
    public static final int FIXED_LENGTH = 8 + 2 + 2 + 4 + 8 + 16 + 16 + 2;

    /** Appends the body. */
    public void encode(ByteBuf out) {
        out.writeLong(Protocol.MAGIC);
        out.writeShort(minVersion);
        out.writeShort(maxVersion);
        out.writeInt(lane);
        out.writeLong(epoch);
        writeUuid(out, instance);
        writeUuid(out, content);
        out.writeShort(ByteBufUtil.utf8Bytes(export));
        out.writeCharSequence(export, StandardCharsets.UTF_8);
    }

    /**
     * Reads a body that fills the rest of {@code in}.
     *
     * @throws ProtocolException if it is not one; the message says what is wrong with it
     */
    public static Hello decode(ByteBuf in) throws ProtocolException {
        if (in.readableBytes() < FIXED_LENGTH) {
            throw new ProtocolException("hello of " + in.readableBytes() + " bytes is too short");
        }
        if (in.readLong() != Protocol.MAGIC) {
            throw new ProtocolException("hello without the magic number; is the peer a leap-nbd server?");
        }
        int min = in.readUnsignedShort();
        int max = in.readUnsignedShort();
        int lane = in.readInt();
        long epoch = in.readLong();
        if (epoch < 0 || epoch > Version.MAX_EPOCH) {
            throw new ProtocolException("hello with epoch " + epoch + ", not in 0.." + Version.MAX_EPOCH);
        }
        UUID instance = readUuid(in);
        UUID content = readUuid(in);
        int length = in.readUnsignedShort();
        if (length != in.readableBytes() || length < 1 || length > Protocol.MAX_EXPORT_NAME) {
            throw new ProtocolException(
                    "hello with an export name of " + length + " bytes, of which " + in.readableBytes() + " are there");
        }
        return new Hello(
                min,
                max,
                lane,
                epoch,
                instance,
                content,
                in.readCharSequence(length, StandardCharsets.UTF_8).toString());
    }

    static void writeUuid(ByteBuf out, UUID id) {
        out.writeLong(id.getMostSignificantBits());
        out.writeLong(id.getLeastSignificantBits());
    }

    static UUID readUuid(ByteBuf in) {
        return new UUID(in.readLong(), in.readLong());
    }
}
