package io.leapnbd.donor.tls;

import io.netty.buffer.ByteBuf;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.nio.ByteOrder;
import java.security.GeneralSecurityException;
import javax.crypto.Cipher;
import javax.crypto.spec.IvParameterSpec;
import javax.crypto.spec.SecretKeySpec;

/**
 * The tags of one direction of a link whose frames go in clear ({@code docs/link-auth.md}): AES-CMAC with a key of 256 bits and tags of 128 (NIST SP
 * 800-38B). What is tagged is a <i>part</i>: a frame's header, or a body that is no page data. Before it goes one block:
 *
 * <pre>
 *  0               8   9   10      12              16
 * +---------------+---+---+-------+---------------+
 * |  number       |way|knd|   0   | part's length |
 * +---------------+---+---+-------+---------------+
 * </pre>
 *
 * <p>Both ends count the parts of a direction from 0, and the number is not sent. So a part that is left out, repeated, moved or sent back does not fit,
 * and nothing after it does. A CMAC needs no nonce. A number of 64 bits does not come around.
 *
 * <p>Nothing is allocated for a part. For one thread at a time.
 */
public final class FrameTags {

    /** Bytes of a tag. */
    public static final int LENGTH = 16;

    /** Bytes of a key. */
    public static final int KEY_LENGTH = 32;

    private static final int BLOCK = 16;

    /** Bytes that are given to the cipher at a time. A header and the block before it fit. */
    private static final int CHUNK = 128;

    private static final byte HEADER = 0;
    private static final byte BODY = 1;

    private static final VarHandle LONGS = MethodHandles.byteArrayViewVarHandle(long[].class, ByteOrder.BIG_ENDIAN)
            .withInvokeExactBehavior();

    private static final VarHandle INTS = MethodHandles.byteArrayViewVarHandle(int[].class, ByteOrder.BIG_ENDIAN)
            .withInvokeExactBehavior();

    private final Cipher cipher;
    private final byte way;
    private final byte[] text = new byte[CHUNK];
    private final byte[] sealed = new byte[CHUNK];

    /** What the last block is changed by: if it is whole, and if it was filled up. */
    private final long wholeHigh;

    private final long wholeLow;
    private final long filledHigh;
    private final long filledLow;

    private long number;
    private boolean broken;

    /**
     * From part 0 on.
     *
     * @param key of {@link #KEY_LENGTH} bytes, of this direction of this link only
     * @param way which direction it is
     * @throws GeneralSecurityException if this Java has no AES
     */
    FrameTags(byte[] key, byte way) throws GeneralSecurityException {
        this.way = way;
        cipher = Cipher.getInstance("AES/CBC/NoPadding");
        cipher.init(Cipher.ENCRYPT_MODE, new SecretKeySpec(key, "AES"), new IvParameterSpec(new byte[BLOCK]));
        int _ = cipher.doFinal(text, 0, BLOCK, sealed, 0);
        long high = (long) LONGS.get(sealed, 0);
        long low = (long) LONGS.get(sealed, Long.BYTES);
        wholeHigh = doubledHigh(high, low);
        wholeLow = doubledLow(high, low);
        filledHigh = doubledHigh(wholeHigh, wholeLow);
        filledLow = doubledLow(wholeHigh, wholeLow);
    }

    private static long doubledHigh(long high, long low) {
        return high << 1 | low >>> 63;
    }

    private static long doubledLow(long high, long low) {
        return low << 1 ^ (high < 0 ? 0x87 : 0);
    }

    /** Writes the tag of the next part, a header of {@code length} bytes at {@code at}, to {@code tagAt} of the same buffer. */
    public void signHeader(ByteBuf buf, int at, int length, int tagAt) {
        next(HEADER, buf, at, length);
        buf.setBytes(tagAt, sealed, 0, LENGTH);
    }

    /** Writes the tag of the next part, a body of {@code length} bytes at {@code at}, to {@code tagAt} of the same buffer. */
    public void signBody(ByteBuf buf, int at, int length, int tagAt) {
        next(BODY, buf, at, length);
        buf.setBytes(tagAt, sealed, 0, LENGTH);
    }

    /**
     * Looks at the next part, a header of {@code length} bytes at {@code at}, with its tag at {@code tagAt}.
     *
     * @throws AlteredFrameException if it is not what the other end has said next; then nothing after it is, either
     */
    public void checkHeader(ByteBuf buf, int at, int length, int tagAt) throws AlteredFrameException {
        next(HEADER, buf, at, length);
        compare(buf, tagAt);
    }

    /**
     * Looks at the next part, a body of {@code length} bytes at {@code at}, with its tag at {@code tagAt}.
     *
     * @throws AlteredFrameException if it is not what the other end has said next; then nothing after it is, either
     */
    public void checkBody(ByteBuf buf, int at, int length, int tagAt) throws AlteredFrameException {
        next(BODY, buf, at, length);
        compare(buf, tagAt);
    }

    private void compare(ByteBuf buf, int tagAt) throws AlteredFrameException {
        // All of it is looked at, so that the time tells nothing.
        long wrong = buf.getLong(tagAt) ^ (long) LONGS.get(sealed, 0);
        wrong |= buf.getLong(tagAt + Long.BYTES) ^ (long) LONGS.get(sealed, Long.BYTES);
        broken |= wrong != 0;
        if (broken) {
            throw new AlteredFrameException();
        }
    }

    /** Leaves the tag of the next part at the beginning of {@link #sealed}. */
    private void next(byte kind, ByteBuf buf, int at, int length) {
        LONGS.set(text, 0, number++);
        INTS.set(text, 8, way << 24 | kind << 16);
        INTS.set(text, 12, length);
        int filled = BLOCK;
        int from = at;
        int left = length;
        try {
            while (true) {
                int count = Math.min(left, CHUNK - filled);
                buf.getBytes(from, text, filled, count);
                from += count;
                left -= count;
                filled += count;
                if (left == 0) {
                    break;
                }
                int _ = cipher.update(text, 0, CHUNK, sealed, 0);
                filled = 0;
            }
            int last = finish(filled);
            int _ = cipher.doFinal(text, 0, last + BLOCK, sealed, 0);
            if (last > 0) {
                System.arraycopy(sealed, last, sealed, 0, LENGTH);
            }
        } catch (GeneralSecurityException e) {
            throw new IllegalStateException("AES does not work", e);
        }
    }

    /** Fills the last block up, and changes it; returns where it begins. */
    private int finish(int filled) {
        int last = filled - 1 & -BLOCK;
        boolean whole = filled == last + BLOCK;
        if (!whole) {
            text[filled] = (byte) 0x80;
            for (int i = filled + 1; i < last + BLOCK; i++) {
                text[i] = 0;
            }
        }
        LONGS.set(text, last, (long) LONGS.get(text, last) ^ (whole ? wholeHigh : filledHigh));
        LONGS.set(text, last + 8, (long) LONGS.get(text, last + 8) ^ (whole ? wholeLow : filledLow));
        return last;
    }
}
