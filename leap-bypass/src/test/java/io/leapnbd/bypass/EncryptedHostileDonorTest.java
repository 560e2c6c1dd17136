package io.leapnbd.bypass;

import io.leapnbd.bypass.cipher.CipherKind;
import io.leapnbd.bypass.cipher.Encryption;

/** The same with pages that are encrypted: a donor that changes, exchanges or plays back ciphertext is found out by the tag. */
class EncryptedHostileDonorTest extends HostileDonorTest {

    @Override
    Encryption encryption() {
        return Encryption.by(CipherKind.AES_256_GCM);
    }
}
