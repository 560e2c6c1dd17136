package io.leapnbd.bypass.cipher;

import java.security.GeneralSecurityException;
import java.security.SecureRandom;
import java.util.Arrays;
import java.util.UUID;
import javax.crypto.KDF;
import javax.crypto.spec.HKDFParameterSpec;

/**
 * The keys of an export's contents: one for each life, which is the time from a server's start to its end. All are derived from one secret by HKDF with
 * SHA-256 (RFC 5869), with the contents' number and the life's salt as the info. A salt is drawn when the life begins, and is no secret.
 *
 * <p>Immutable.
 */
public final class LifeKeys {

    /** Bytes of the secret. */
    public static final int SECRET = 32;

    /** Bytes of a life's salt. */
    public static final int SALT = 16;

    private static final SecureRandom RANDOM = new SecureRandom();

    private final CipherKind kind;
    private final UUID content;
    private final byte[] secret;

    /**
     * Of contents.
     *
     * @param secret {@link #SECRET} bytes; copied
     */
    public LifeKeys(CipherKind kind, UUID content, byte[] secret) {
        if (secret.length != SECRET) {
            throw new IllegalArgumentException("a secret of " + secret.length + " bytes; it has to be " + SECRET);
        }
        this.kind = kind;
        this.content = content;
        this.secret = secret.clone();
    }

    /** A secret that nobody else has. */
    public static byte[] drawSecret() {
        byte[] drawn = new byte[SECRET];
        RANDOM.nextBytes(drawn);
        return drawn;
    }

    /** A salt for a life that begins. */
    public static byte[] drawSalt() {
        byte[] drawn = new byte[SALT];
        RANDOM.nextBytes(drawn);
        return drawn;
    }

    /** How pages are encrypted. */
    public CipherKind kind() {
        return kind;
    }

    /** The key of a life, as bytes that the caller wipes. */
    byte[] key(byte[] salt) {
        return derive("leap-nbd page", salt, kind.keyBytes());
    }

    /** Eight bytes that show whether a secret is the one that a state file was written with, and tell nothing else of it. */
    public static long check(UUID content, byte[] secret) {
        byte[] bytes = new LifeKeys(CipherKind.AES_256_GCM, content, secret).derive("leap-nbd check", new byte[0], 8);
        long check = 0;
        for (byte one : bytes) {
            check = (check << Byte.SIZE) | (one & 0xff);
        }
        return check;
    }

    private byte[] derive(String use, byte[] salt, int length) {
        byte[] info = Arrays.copyOf(
                (use + " " + content + " ").getBytes(java.nio.charset.StandardCharsets.US_ASCII),
                use.length() + 38 + salt.length);
        System.arraycopy(salt, 0, info, info.length - salt.length, salt.length);
        try {
            return KDF.getInstance("HKDF-SHA256")
                    .deriveData(HKDFParameterSpec.ofExtract().addIKM(secret).thenExpand(info, length));
        } catch (GeneralSecurityException e) {
            throw new IllegalStateException("HKDF-SHA256", e);
        }
    }
}
