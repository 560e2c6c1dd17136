package io.leapnbd.bypass.cipher;

import io.leapnbd.donor.memory.RawMemory;
import java.nio.ByteBuffer;
import java.security.GeneralSecurityException;
import java.util.function.IntFunction;
import javax.crypto.AEADBadTagException;
import javax.crypto.Cipher;
import javax.crypto.spec.GCMParameterSpec;
import javax.crypto.spec.SecretKeySpec;

/** The JDK's own AES-GCM, where libcrypto is not installed. Allocates some 2 KiB a page. */
final class JdkCipher implements PageCipher {

    private final IntFunction<byte[]> keys;
    private final int page;
    private final Cipher cipher;
    private final SecretKeySpec[] known;
    private final byte[] nonceBytes = new byte[NONCE];
    private final ByteBuffer in;
    private final ByteBuffer out;

    /**
     * One loop's.
     *
     * @param page bytes of a page
     * @param lives how many keys there may be
     * @param keys the key of a life; wiped after it was asked for
     */
    JdkCipher(int page, int lives, IntFunction<byte[]> keys) {
        this.keys = keys;
        this.page = page;
        known = new SecretKeySpec[lives];
        in = ByteBuffer.allocate(page + TAG);
        out = ByteBuffer.allocate(page + TAG);
        try {
            cipher = Cipher.getInstance("AES/GCM/NoPadding");
        } catch (GeneralSecurityException e) {
            throw new IllegalStateException("the JDK has no AES-GCM", e);
        }
    }

    @Override
    public void seal(int life, long nonce, long from, long to, long tag) {
        try {
            begin(Cipher.ENCRYPT_MODE, life, nonce);
            RawMemory.copyToArray(from, in.array(), page);
            int _ = cipher.doFinal(in.clear().limit(page), out.clear());
            RawMemory.copyFromArray(out.array(), 0, to, page);
            RawMemory.copyFromArray(out.array(), page, tag, TAG);
        } catch (GeneralSecurityException e) {
            throw new IllegalStateException("a page cannot be encrypted", e);
        }
    }

    @Override
    public boolean open(int life, long nonce, long from, long to, long tag) {
        try {
            begin(Cipher.DECRYPT_MODE, life, nonce);
            RawMemory.copyToArray(from, in.array(), page);
            byte[] tagBytes = new byte[TAG];
            RawMemory.copyToArray(tag, tagBytes, TAG);
            System.arraycopy(tagBytes, 0, in.array(), page, TAG);
            int _ = cipher.doFinal(in.clear(), out.clear());
            RawMemory.copyFromArray(out.array(), 0, to, page);
            return true;
        } catch (AEADBadTagException e) {
            return false;
        } catch (GeneralSecurityException e) {
            throw new IllegalStateException("a page cannot be decrypted", e);
        }
    }

    private void begin(int mode, int life, long nonce) throws GeneralSecurityException {
        SecretKeySpec key = known[life];
        if (key == null) {
            key = new SecretKeySpec(keys.apply(life), "AES");
            known[life] = key;
        }
        RawMemory.copyToArray(nonce, nonceBytes, NONCE);
        cipher.init(mode, key, new GCMParameterSpec(TAG * Byte.SIZE, nonceBytes));
    }
}
