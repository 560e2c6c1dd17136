package io.leapnbd.nbd.tls;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.cert.CertificateParsingException;
import java.security.cert.X509Certificate;
import java.time.Instant;
import java.time.format.DateTimeParseException;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * Machines that were taken out of a pool: the file {@code revoked} beside the certificates. A line has a machine's name and a time. Certificates of that
 * machine that begin before this time are refused, so that the machine may have new ones. Which machine a certificate is of, its first DNS name says, whatever its
 * role and identity. Never changes; any thread.
 *
 * @param before the times, by machine
 */
public record RevokedFile(Map<String, Instant> before) {

    /** Of the file. */
    public static final String NAME = "revoked";

    private static final int MOST_BYTES = 1 << 20;

    /** GeneralName: dNSName (RFC 5280, 4.2.1.6). */
    private static final Integer DNS_KIND = 2;

    /** Copies it. */
    public RevokedFile {
        before = Map.copyOf(before);
    }

    /**
     * Reads it now; nobody is in it if it is not there.
     *
     * @throws IOException in one sentence, if a line is wrong, or others may change or replace the file
     */
    public static RevokedFile in(Path folder) throws IOException {
        Path file = folder.resolve(NAME);
        if (!Files.exists(file)) {
            return new RevokedFile(Map.of());
        }
        Map<String, Instant> before = new HashMap<>();
        List<String> lines = TrustedPath.readLines(file, MOST_BYTES);
        for (int i = 0; i < lines.size(); i++) {
            String line = lines.get(i).strip();
            if (line.isEmpty() || line.startsWith("#")) {
                continue;
            }
            String[] words = line.split("\\s+", -1);
            try {
                if (words.length == 2) {
                    before.merge(words[0], Instant.parse(words[1]), (one, other) -> one.isAfter(other) ? one : other);
                    continue;
                }
            } catch (DateTimeParseException e) {
                // It is complained of below.
            }
            throw new IOException(file + ", line " + (i + 1)
                    + ": it is no machine's name and a time; copy the file that 'leap-nbd pool revoke' has written");
        }
        return new RevokedFile(before);
    }

    /** Whether a certificate is of a machine that was taken out. One that names no machine is of none. */
    public boolean refuses(X509Certificate certificate) {
        if (before.isEmpty()) {
            return false;
        }
        try {
            if (certificate.getSubjectAlternativeNames() == null) {
                return false;
            }
            for (List<?> name : certificate.getSubjectAlternativeNames()) {
                if (DNS_KIND.equals(name.get(0))) {
                    Instant time = name.get(1) instanceof String machine ? before.get(machine) : null;
                    return time != null
                            && certificate.getNotBefore().toInstant().isBefore(time);
                }
            }
            return false;
        } catch (CertificateParsingException e) {
            return true;
        }
    }
}
