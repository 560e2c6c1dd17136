package io.leapnbd.nbd.server;

import io.leapnbd.nbd.protocol.Negotiation;
import io.netty.buffer.ByteBuf;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import org.jspecify.annotations.Nullable;

/** Reads the fields of an option's data, and never beyond it. */
final class OptionData {

    private final ByteBuf data;

    OptionData(ByteBuf data) {
        this.data = data;
    }

    /** A 32-bit number, or -1 when the data has ended. */
    long unsignedInt() {
        return data.readableBytes() < Integer.BYTES ? -1 : data.readUnsignedInt();
    }

    /** A 16-bit number, or -1 when the data has ended. */
    int unsignedShort() {
        return data.readableBytes() < Short.BYTES ? -1 : data.readUnsignedShort();
    }

    /** A string behind its 32-bit length, or null when that is too long for the data or the protocol, or is no text. */
    @Nullable
    String string() {
        long length = unsignedInt();
        if (length < 0 || length > data.readableBytes() || length > Negotiation.MAX_STRING) {
            return null;
        }
        ByteBuffer bytes = data.readSlice((int) length).nioBuffer();
        try {
            String text = StandardCharsets.UTF_8.newDecoder().decode(bytes).toString();
            return text.indexOf('\0') < 0 ? text : null;
        } catch (CharacterCodingException e) {
            return null;
        }
    }
}
