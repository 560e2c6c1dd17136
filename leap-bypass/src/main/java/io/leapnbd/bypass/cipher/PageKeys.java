package io.leapnbd.bypass.cipher;

import java.util.List;
import java.util.concurrent.atomic.AtomicLong;

/**
 * What an export's pages are encrypted with in one life, which is the time from a server's start to its end: all lives' keys, and the numbers that
 * nonces are made of (docs/encryption.md, "Keys and nonces"). Any thread; {@link #newCipher} makes what a loop keeps for itself.
 *
 * <p><b>No nonce is used twice.</b> A nonce is the page's number (32 bits) and a <i>stamp</i>: the number of the life (12 bits) and a counter (50 bits). A
 * life's key is derived from a salt that was drawn for it, and no other process ever encrypts with it: a start draws anew, whatever files it found. So
 * nothing that was forgotten, restored or copied can bring a key back to use. Within the life the counter only grows, and each value is handed out once: one
 * that was drawn and not sent is never used.
 */
public final class PageKeys {

    /** Bits of a life's number. */
    public static final int LIFE_BITS = 12;

    /** Lives that an export's contents may have pages of at a time. */
    public static final int LIVES = 1 << LIFE_BITS;

    /** Bits of the counter. */
    public static final int COUNTER_BITS = 50;

    private static final long LAST_COUNTER = (1L << COUNTER_BITS) - 1;

    private final LifeKeys keys;
    private final List<byte[]> salts;
    private final int life;
    private final AtomicLong counter = new AtomicLong(1);

    /**
     * Of one life.
     *
     * @param salts of all lives, by number
     * @param life the present one; its salt was drawn by this process
     */
    public PageKeys(LifeKeys keys, List<byte[]> salts, int life) {
        this.keys = keys;
        this.salts = List.copyOf(salts);
        this.life = life;
        if (salts.size() > LIVES || life < 0 || life >= salts.size()) {
            throw new IllegalArgumentException("life " + life + " of " + salts.size());
        }
    }

    /** How pages are encrypted. */
    public CipherKind kind() {
        return keys.kind();
    }

    /**
     * Draws stamps for pages that are about to be encrypted: this one and those that follow it, one for each page.
     *
     * @throws IllegalStateException after 2^50 pages, 4 EiB
     */
    long draw(int pages) {
        long first = counter.getAndAdd(pages);
        if (first > LAST_COUNTER - pages) {
            throw new IllegalStateException("this server has encrypted as many pages as it may; restart it");
        }
        return (long) life << COUNTER_BITS | first;
    }

    /** The life that a stamp is of. */
    static int lifeOf(long stamp) {
        return (int) (stamp >>> COUNTER_BITS) & LIVES - 1;
    }

    /** Whether a stamp may be of these contents: a state file that was damaged may say anything. */
    boolean knows(long stamp) {
        return lifeOf(stamp) < salts.size();
    }

    /** Whether pages are encrypted by libcrypto; otherwise by the JDK, which is slower and allocates. */
    public static boolean isNative() {
        return OpenSsl.present();
    }

    /** What a loop encrypts and decrypts with. */
    PageCipher newCipher(int page) {
        return OpenSsl.present()
                ? new OpenSslCipher(keys.kind(), page, salts.size(), this::key)
                : new JdkCipher(page, salts.size(), this::key);
    }

    private byte[] key(int of) {
        return keys.key(salts.get(of));
    }

    /** A loop's way to encrypt pages. On the loop. */
    public PageCodec newCodec() {
        return new PageCodec(this);
    }
}
