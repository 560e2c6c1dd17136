package io.leapnbd.bypass.cipher;

/** How pages are encrypted before they leave the process. The number is what a state file and a note say. */
public enum CipherKind {
    /** Not at all. */
    NONE(0, 0, "off"),
    /** AES-GCM with a key of 256 bits (NIST SP 800-38D). */
    AES_256_GCM(1, 32, "aes-256-gcm"),
    /** AES-GCM with a key of 128 bits. */
    AES_128_GCM(2, 16, "aes-128-gcm");

    private final int number;
    private final int keyBytes;
    private final String text;

    CipherKind(int number, int keyBytes, String text) {
        this.number = number;
        this.keyBytes = keyBytes;
        this.text = text;
    }

    /** 0 to 127. */
    public int number() {
        return number;
    }

    /** Bytes of a key; 0 if there is none. */
    int keyBytes() {
        return keyBytes;
    }

    /** Whether pages are encrypted. */
    public boolean encrypts() {
        return this != NONE;
    }

    /**
     * The kind with a number.
     *
     * @throws IllegalArgumentException if there is none: a newer version wrote it
     */
    public static CipherKind of(int number) {
        for (CipherKind kind : values()) {
            if (kind.number == number) {
                return kind;
            }
        }
        throw new IllegalArgumentException("cipher number " + number + " is not known to this version");
    }

    /** As an option has it. */
    @Override
    public String toString() {
        return text;
    }
}
