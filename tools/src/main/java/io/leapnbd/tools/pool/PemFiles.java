package io.leapnbd.tools.pool;

import io.leapnbd.donor.tls.PoolAuthority;
import io.leapnbd.nbd.tls.RevokedFile;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.SeekableByteChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.FileAttribute;
import java.nio.file.attribute.PosixFilePermission;
import java.nio.file.attribute.PosixFilePermissions;
import java.security.cert.CertificateEncodingException;
import java.security.cert.X509Certificate;
import java.time.Instant;
import java.util.Base64;
import java.util.Map;
import java.util.Set;

/** New files of certificates and keys. None is ever written over, but for lists of machines, and a key is nobody else's to read from its first byte on. */
final class PemFiles {

    private static final FileAttribute<Set<PosixFilePermission>> PRIVATE_FOLDER = permissions("rwx------");
    private static final FileAttribute<Set<PosixFilePermission>> PRIVATE = permissions("rw-------");
    private static final FileAttribute<Set<PosixFilePermission>> READABLE = permissions("rw-r--r--");

    private PemFiles() {}

    private static FileAttribute<Set<PosixFilePermission>> permissions(String text) {
        return PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString(text));
    }

    /** Makes a folder for nobody else. */
    static void folder(Path folder) throws IOException {
        try {
            Files.createDirectory(folder, PRIVATE_FOLDER);
        } catch (FileAlreadyExistsException e) {
            throw new IOException(
                    folder + " exists already, and nothing is written over; name another, or move it away", e);
        } catch (IOException e) {
            throw new IOException(folder + " cannot be made; name one in a folder that is there and yours", e);
        }
    }

    /** Writes a certificate and its key. */
    static void write(Path folder, String end, PoolAuthority.Issued issued) throws IOException {
        certificate(folder.resolve(end + "-cert.pem"), issued.certificate());
        write(folder.resolve(end + "-key.pem"), "PRIVATE KEY", issued.base64(), PRIVATE);
    }

    /** Writes a certificate. */
    static void certificate(Path file, X509Certificate certificate) throws IOException {
        try {
            byte[] content = certificate.getEncoded();
            write(
                    file,
                    "CERTIFICATE",
                    Base64.getMimeEncoder(64, new byte[] {'\n'}).encodeToString(content),
                    READABLE);
        } catch (CertificateEncodingException e) {
            throw new IOException(e);
        }
    }

    /** Writes who was taken out, in the place of a list that is there, all at once. */
    static void revoked(Path folder, Map<String, Instant> before) throws IOException {
        StringBuilder text = new StringBuilder(
                "# Machines that were taken out of the pool. Certificates that begin before the time are refused. 'leap-nbd pool revoke' writes it.\n");
        before.forEach(
                (machine, time) -> text.append(machine).append(' ').append(time).append('\n'));
        replace(folder, RevokedFile.NAME, text);
    }

    /** Writes a list, in the place of one that is there, all at once. */
    static void replace(Path folder, String name, CharSequence text) throws IOException {
        Path part = Files.createTempFile(folder, name, ".new", READABLE);
        Files.writeString(part, text);
        Files.move(part, folder.resolve(name), StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
    }

    private static void write(Path file, String kind, String base64, FileAttribute<?> mode) throws IOException {
        String text = "-----BEGIN " + kind + "-----\n" + base64 + "\n-----END " + kind + "-----\n";
        try (SeekableByteChannel out =
                Files.newByteChannel(file, Set.of(StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE), mode)) {
            ByteBuffer left = ByteBuffer.wrap(text.getBytes(StandardCharsets.US_ASCII));
            while (left.hasRemaining()) {
                int _ = out.write(left);
            }
        } catch (FileAlreadyExistsException e) {
            throw new IOException(file + " exists already, and nothing is written over; move it away", e);
        }
    }
}
