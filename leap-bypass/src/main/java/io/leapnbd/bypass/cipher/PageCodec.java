package io.leapnbd.bypass.cipher;

import io.leapnbd.donor.memory.RawMemory;
import io.leapnbd.donor.protocol.Protocol;
import io.netty.buffer.ByteBuf;
import java.lang.foreign.Arena;

/**
 * Encrypts and decrypts the pages of one loop. What was decrypted stands in memory of this object's until the next call, and goes to a client's buffer only
 * when its tag is right. For the loop's thread; allocates nothing with libcrypto, and buffers that have an address.
 */
public final class PageCodec {

    private static final int PAGE = Protocol.PAGE_SIZE;

    private final PageKeys keys;
    private final PageCipher cipher;
    private final Arena arena = Arena.ofAuto();
    private final long in = arena.allocate(PAGE, 64).address();
    private final long out = arena.allocate(PAGE, 64).address();
    private final long tag = arena.allocate(PageCipher.TAG, 16).address();
    private final long nonce = arena.allocate(16, 16).address();

    PageCodec(PageKeys keys) {
        this.keys = keys;
        cipher = keys.newCipher(PAGE);
    }

    /** Draws stamps for pages that are about to be encrypted: this one and those that follow it. */
    public long draw(int pages) {
        return keys.draw(pages);
    }

    /** Encrypts a page where it is. Its tag is {@link #tagFirst} and {@link #tagSecond} then. */
    public void seal(long page, long stamp, ByteBuf bytes, int index) {
        nonce(page, stamp);
        if (bytes.hasMemoryAddress()) {
            long at = bytes.memoryAddress() + index;
            cipher.seal(PageKeys.lifeOf(stamp), nonce, at, at, tag);
        } else {
            RawMemory.copyFrom(bytes, index, in, PAGE);
            cipher.seal(PageKeys.lifeOf(stamp), nonce, in, out, tag);
            RawMemory.copyTo(out, bytes, index, PAGE);
        }
    }

    /** The first half of the tag of the page that was encrypted last. */
    public long tagFirst() {
        return RawMemory.get(tag);
    }

    /** The second half. */
    public long tagSecond() {
        return RawMemory.get(tag + Long.BYTES);
    }

    /**
     * Decrypts a page, and leaves it where it is: {@link #takeOpened} gets it.
     *
     * @return whether these are the bytes that were encrypted with this stamp and got this tag
     */
    public boolean open(long page, long stamp, long tagFirst, long tagSecond, ByteBuf bytes, int index) {
        if (!keys.knows(stamp)) {
            return false;
        }
        nonce(page, stamp);
        RawMemory.put(tag, tagFirst);
        RawMemory.put(tag + Long.BYTES, tagSecond);
        return cipher.open(PageKeys.lifeOf(stamp), nonce, address(bytes, index), out, tag);
    }

    /** Puts the page that was decrypted last, and whose tag was right, into a buffer. */
    public void takeOpened(ByteBuf into, int index) {
        if (into.hasMemoryAddress()) {
            RawMemory.copy(out, into.memoryAddress() + index, PAGE);
        } else {
            RawMemory.copyTo(out, into, index, PAGE);
        }
    }

    /** Whether a page is zeros. */
    public boolean isZero(ByteBuf bytes, int index) {
        return RawMemory.isZero(address(bytes, index), PAGE);
    }

    private long address(ByteBuf bytes, int index) {
        if (bytes.hasMemoryAddress()) {
            return bytes.memoryAddress() + index;
        }
        RawMemory.copyFrom(bytes, index, in, PAGE);
        return in;
    }

    private void nonce(long page, long stamp) {
        // 12 bytes: the page's number after the stamp, both in this machine's order.
        RawMemory.put(nonce, stamp);
        RawMemory.put(nonce + Long.BYTES, page);
    }
}
