package io.leapnbd.bypass;

import io.leapnbd.bypass.cipher.CipherKind;

/** The same with pages that are encrypted. A write's bytes are ciphertext where they are, and have to be the client's again when it is done anew. */
class EncryptedDataPathFaultsTest extends DataPathFaultsTest {

    @Override
    CipherKind cipher() {
        return CipherKind.AES_256_GCM;
    }
}
