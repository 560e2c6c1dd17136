package io.leapnbd.bypass.cipher;

/**
 * AES-GCM over one page at a time, under the keys of all lives of an export (docs/encryption.md, "Keys and nonces"). One loop's; not for several
 * threads. Addresses are of memory of a page each; {@code from} and {@code to} are the same or do not overlap.
 */
interface PageCipher {

    /** Bytes of a tag. */
    int TAG = 16;

    /** Bytes of a nonce. */
    int NONCE = 12;

    /**
     * Encrypts a page.
     *
     * @param life whose key; at least 0
     * @param nonce where the 12 bytes of the nonce are
     * @param tag where its 16 bytes go
     */
    void seal(int life, long nonce, long from, long to, long tag);

    /**
     * Decrypts a page. What is at {@code to} is nobody's business unless this answers true.
     *
     * @return whether the tag is right: whether these are the bytes that were encrypted with this key and nonce
     */
    boolean open(int life, long nonce, long from, long to, long tag);
}
