package io.leapnbd.tools.serve;

import io.leapnbd.bypass.cipher.LifeKeys;
import io.leapnbd.tools.linux.PrivateFolder;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermission;
import java.util.Arrays;
import java.util.EnumSet;
import java.util.HexFormat;
import java.util.Set;

/** A secret that an operator keeps in a file: 32 bytes, or 64 hexadecimal digits. A systemd credential is one. */
final class KeyFile {

    private static final Set<PosixFilePermission> OTHERS = EnumSet.of(
            PosixFilePermission.GROUP_READ,
            PosixFilePermission.GROUP_WRITE,
            PosixFilePermission.OTHERS_READ,
            PosixFilePermission.OTHERS_WRITE);

    private static final String FORM = "; it has to hold 32 bytes, or 64 hexadecimal digits: openssl rand -hex 32";

    private KeyFile() {}

    private static boolean isCredential(Path file) {
        String folder = System.getenv("CREDENTIALS_DIRECTORY");
        return folder != null && file.toAbsolutePath().normalize().startsWith(Path.of(folder));
    }

    /**
     * Reads it.
     *
     * @throws IOException in one sentence, if there is none, or others may read it
     */
    static byte[] read(Path file) throws IOException {
        if (!Files.isRegularFile(file, LinkOption.NOFOLLOW_LINKS)) {
            throw new IOException(file + " is not a file" + FORM);
        }
        boolean shared = Files.getPosixFilePermissions(file).stream().anyMatch(OTHERS::contains);
        if (isCredential(file)) {
            // Systemd keeps others out; for a user of its own it does so by an access list, which shows as the group's
            // right.
            shared = false;
        }
        if (shared || !PrivateFolder.isOwn(file)) {
            throw new IOException("others may read or change " + file + "; chmod 600 " + file);
        }
        if (Files.size(file) > 2L * LifeKeys.SECRET + 2) {
            throw new IOException(file + " is too long" + FORM);
        }
        byte[] bytes;
        try {
            bytes = Files.readAllBytes(file);
        } catch (IOException e) {
            throw new IOException(file + " cannot be read: " + e.getMessage(), e);
        }
        if (bytes.length == LifeKeys.SECRET) {
            return bytes;
        }
        String digits = new String(bytes, StandardCharsets.US_ASCII).strip();
        Arrays.fill(bytes, (byte) 0);
        try {
            byte[] secret = HexFormat.of().parseHex(digits);
            if (secret.length == LifeKeys.SECRET) {
                return secret;
            }
        } catch (IllegalArgumentException e) {
            throw new IOException(file + " is no key" + FORM, e);
        }
        throw new IOException(file + " is no key" + FORM);
    }
}
