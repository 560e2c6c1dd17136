package io.leapnbd.tools.serve;

import io.leapnbd.bypass.cipher.LifeKeys;
import io.leapnbd.nbd.tls.SecretFile;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.HexFormat;

/** A secret that an operator keeps in a file: 32 bytes, or 64 hexadecimal digits. A systemd credential is one. */
final class KeyFile {

    private static final int MOST = 2 * LifeKeys.SECRET + 2;
    private static final String FORM = "it has to hold 32 bytes, or 64 hexadecimal digits: openssl rand -hex 32";

    private KeyFile() {}

    /**
     * Reads it.
     *
     * @throws IOException in one sentence, if there is none, or others may read it
     */
    static byte[] read(Path file) throws IOException {
        byte[] bytes = SecretFile.read(file, MOST, FORM);
        if (bytes.length == LifeKeys.SECRET) {
            return bytes;
        }
        String digits = new String(bytes, StandardCharsets.US_ASCII).strip();
        Arrays.fill(bytes, (byte) 0);
        if (digits.length() != 2 * LifeKeys.SECRET) {
            throw new IOException(file + " is no key; " + FORM);
        }
        try {
            return HexFormat.of().parseHex(digits);
        } catch (IllegalArgumentException _) {
            // Without the cause, which names a digit of it.
            throw new IOException(file + " is no key; " + FORM);
        }
    }
}
