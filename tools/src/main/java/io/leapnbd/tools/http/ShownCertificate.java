package io.leapnbd.tools.http;

import io.leapnbd.nbd.tls.CertificateNames;
import io.leapnbd.nbd.tls.TlsFolder;
import java.io.IOException;
import java.nio.file.Path;
import java.security.cert.X509Certificate;
import java.time.Instant;
import java.time.ZoneOffset;

/** Which certificate a process shows, in words: {@code h4, good until 2028-11-27}. */
public final class ShownCertificate {

    private ShownCertificate() {}

    /** A day in UTC, as {@code 2027-01-31}. */
    public static String day(Instant time) {
        return time.atZone(ZoneOffset.UTC).toLocalDate().toString();
    }

    /** Of a name and an end. */
    public static String words(String name, Instant ends) {
        return name + ", good until " + day(ends);
    }

    /**
     * That of a server, by what a folder has now.
     *
     * @throws IOException in one sentence, if a file is missing, damaged, or open to others
     */
    public static String ofServerIn(Path folder) throws IOException {
        X509Certificate own =
                new TlsFolder(folder).credentials("server").chain().getFirst();
        String name = CertificateNames.of(own).hosts().stream()
                .findFirst()
                .orElse(own.getSubjectX500Principal().getName());
        return words(name, own.getNotAfter().toInstant());
    }
}
