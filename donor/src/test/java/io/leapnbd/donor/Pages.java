package io.leapnbd.donor;

import io.leapnbd.donor.protocol.Protocol;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.SplittableRandom;

/** Bytes that say what they are, so that every byte of a page can be checked. */
public final class Pages {

    /** Shorthand. */
    public static final int PAGE = Protocol.PAGE_SIZE;

    private Pages() {}

    /** A direct buffer of bytes that follow from a seed. */
    public static ByteBuf bytes(long seed, int length) {
        byte[] content = array(seed, length);
        return Unpooled.directBuffer(length, length).writeBytes(content);
    }

    /** The same as an array. */
    public static byte[] array(long seed, int length) {
        byte[] content = new byte[length];
        new SplittableRandom(seed).nextBytes(content);
        return content;
    }

    /** A direct buffer full of rubbish, to read into. */
    public static ByteBuf rubbish(int length) {
        byte[] content = new byte[length];
        Arrays.fill(content, (byte) 0xa5);
        return Unpooled.directBuffer(length, length).writeBytes(content);
    }

    /** A direct buffer of zeros without leak detection, which would cost more than what is tested. */
    public static ByteBuf untracked(int length) {
        return Unpooled.wrappedBuffer(ByteBuffer.allocateDirect(length));
    }

    /** The readable bytes. */
    public static byte[] content(ByteBuf buf) {
        byte[] content = new byte[buf.readableBytes()];
        buf.getBytes(buf.readerIndex(), content);
        return content;
    }

    /** A note's bytes as text. */
    public static String text(ByteBuffer bytes) {
        return StandardCharsets.US_ASCII.decode(bytes.duplicate()).toString();
    }
}
