package io.leapnbd.donor.protocol;

import io.netty.buffer.ByteBuf;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.util.UUID;

/** Fields that several bodies have. */
final class Fields {

    private Fields() {}

    static void writeUuid(ByteBuf out, UUID id) {
        out.writeLong(id.getMostSignificantBits());
        out.writeLong(id.getLeastSignificantBits());
    }

    static UUID readUuid(ByteBuf in) {
        return new UUID(in.readLong(), in.readLong());
    }

    static void require(ByteBuf in, int length, String what) throws ProtocolException {
        if (in.readableBytes() < length) {
            throw new ProtocolException(
                    what + " of " + length + " bytes, of which " + in.readableBytes() + " are there");
        }
    }

    /** Text that is UTF-8 to the letter: otherwise two names could become one. */
    static String readText(ByteBuf in, int length, String what) throws ProtocolException {
        ByteBuffer bytes = readBytes(in, length, what);
        try {
            return StandardCharsets.UTF_8.newDecoder().decode(bytes).toString();
        } catch (CharacterCodingException e) {
            throw new ProtocolException(what + " that is not UTF-8");
        }
    }

    /** A copy. */
    static ByteBuffer readBytes(ByteBuf in, int length, String what) throws ProtocolException {
        require(in, length, what);
        byte[] bytes = new byte[length];
        in.readBytes(bytes);
        return ByteBuffer.wrap(bytes);
    }
}
