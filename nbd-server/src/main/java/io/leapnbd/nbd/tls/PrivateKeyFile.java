package io.leapnbd.nbd.tls;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.KeyFactory;
import java.security.PrivateKey;
import java.security.spec.InvalidKeySpecException;
import java.security.spec.PKCS8EncodedKeySpec;
import java.util.Base64;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * A private key in a text file (RFC 7468), in one of the forms that {@code openssl} and {@code certtool} write: PKCS #8 (RFC 5958),
 * and the older ones of RSA (RFC 8017, A.1.2) and of elliptic curves (RFC 5915), which are put into a PKCS #8 envelope here.
 */
final class PrivateKeyFile {

    private static final Pattern BLOCK =
            Pattern.compile("-----BEGIN ([A-Z ]*PRIVATE KEY)-----([^-]*)-----END \\1-----", Pattern.DOTALL);

    /** AlgorithmIdentifier of RSA keys: the OID 1.2.840.113549.1.1.1, and NULL. */
    private static final byte[] RSA = {
        0x30, 0x0d, 0x06, 0x09, 0x2a, (byte) 0x86, 0x48, (byte) 0x86, (byte) 0xf7, 0x0d, 0x01, 0x01, 0x01, 0x05, 0x00
    };

    /** The OID 1.2.840.10045.2.1 of keys on elliptic curves. */
    private static final byte[] EC = {0x06, 0x07, 0x2a, (byte) 0x86, 0x48, (byte) 0xce, 0x3d, 0x02, 0x01};

    private static final byte[] VERSION_0 = {0x02, 0x01, 0x00};
    private static final int SEQUENCE = 0x30;
    private static final int OCTETS = 0x04;
    private static final int PARAMETERS = 0xa0;

    private PrivateKeyFile() {}

    /**
     * Reads the first key of a file.
     *
     * @throws IOException in one sentence, if there is none, or none that can be used
     */
    static PrivateKey parse(Path file, byte[] content) throws IOException {
        Matcher block = BLOCK.matcher(new String(content, StandardCharsets.ISO_8859_1));
        if (!block.find()) {
            throw new IOException(file + " holds no private key in PEM");
        }
        byte[] pkcs8;
        try {
            byte[] der = Base64.getMimeDecoder().decode(block.group(2));
            pkcs8 = switch (block.group(1)) {
                case "PRIVATE KEY" -> der;
                case "RSA PRIVATE KEY" -> envelope(RSA, der);
                case "EC PRIVATE KEY" -> envelope(element(SEQUENCE, EC, curve(der)), der);
                case "ENCRYPTED PRIVATE KEY" ->
                    throw new IOException(file + " is encrypted, and nobody is there to be asked for its password;"
                            + " take that off with 'openssl pkey', and give the file mode 0600");
                default ->
                    throw new IOException(file + " holds a key of a kind that is not known here: " + block.group(1));
            };
        } catch (IllegalArgumentException | IndexOutOfBoundsException e) {
            throw new IOException(file + " is damaged: its private key cannot be decoded", e);
        }
        for (String algorithm : List.of("EC", "RSA", "EdDSA")) {
            try {
                return KeyFactory.getInstance(algorithm).generatePrivate(new PKCS8EncodedKeySpec(pkcs8));
            } catch (InvalidKeySpecException e) {
                // Of another algorithm.
            } catch (GeneralSecurityException e) {
                throw new IOException("this Java has no keys of " + algorithm, e);
            }
        }
        throw new IOException(file + " holds a private key that is neither RSA, EC nor Ed25519");
    }

    private static byte[] envelope(byte[] algorithm, byte[] key) {
        return element(SEQUENCE, VERSION_0, algorithm, element(OCTETS, key));
    }

    /** The curve that an ECPrivateKey names: SEQUENCE, version, key, and the content of the element behind these. */
    private static byte[] curve(byte[] der) {
        int at = contentOf(der, 0);
        at = endOf(der, at);
        at = endOf(der, at);
        if ((der[at] & 0xff) != PARAMETERS) {
            throw new IllegalArgumentException("no curve");
        }
        byte[] curve = new byte[endOf(der, at) - contentOf(der, at)];
        System.arraycopy(der, contentOf(der, at), curve, 0, curve.length);
        return curve;
    }

    private static int contentOf(byte[] der, int at) {
        int length = der[at + 1];
        return at + 2 + (length < 0 ? length & 0x7f : 0);
    }

    private static int endOf(byte[] der, int at) {
        int length = der[at + 1];
        if (length >= 0) {
            return at + 2 + length;
        }
        int bytes = length & 0x7f;
        int content = 0;
        for (int i = 0; i < bytes; i++) {
            content = (content << 8) | (der[at + 2 + i] & 0xff);
        }
        return at + 2 + bytes + content;
    }

    private static byte[] element(int tag, byte[]... parts) {
        ByteArrayOutputStream content = new ByteArrayOutputStream();
        for (byte[] part : parts) {
            content.writeBytes(part);
        }
        int length = content.size();
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        out.write(tag);
        if (length < 0x80) {
            out.write(length);
        } else if (length < 0x100) {
            out.write(0x81);
            out.write(length);
        } else {
            out.write(0x82);
            out.write(length >> 8);
            out.write(length);
        }
        out.writeBytes(content.toByteArray());
        return out.toByteArray();
    }
}
