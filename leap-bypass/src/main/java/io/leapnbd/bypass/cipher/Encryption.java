package io.leapnbd.bypass.cipher;

import org.jspecify.annotations.Nullable;

/** How pages are encrypted, and with which secret. Immutable. */
public final class Encryption {

    /** Pages leave as they are. */
    public static final Encryption OFF = new Encryption(CipherKind.NONE, null);

    private final CipherKind kind;
    private final byte @Nullable [] secret;

    private Encryption(CipherKind kind, byte @Nullable [] secret) {
        this.kind = kind;
        this.secret = secret;
    }

    /** With a secret that the server draws, and keeps in its state file. */
    public static Encryption by(CipherKind kind) {
        return new Encryption(kind, null);
    }

    /**
     * With a secret that the operator keeps.
     *
     * @param secret {@link LifeKeys#SECRET} bytes; not copied
     */
    public static Encryption by(CipherKind kind, byte[] secret) {
        return new Encryption(kind, secret);
    }

    /** With which cipher. */
    public CipherKind kind() {
        return kind;
    }

    /** The operator's secret; null if the server draws it. */
    public byte @Nullable [] secret() {
        return secret;
    }

    /** Without the secret. */
    @Override
    public String toString() {
        return kind.toString();
    }
}
