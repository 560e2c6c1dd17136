package io.leapnbd.tools.http;

import io.leapnbd.nbd.tls.TlsFolder;
import java.io.IOException;
import java.nio.file.Path;
import java.security.cert.CertificateParsingException;
import java.security.cert.X509Certificate;
import java.time.Instant;
import java.time.ZoneOffset;
import java.util.List;

/** Which certificate a process shows, in words: {@code h4, good until 2028-11-27}. */
public final class ShownCertificate {

    /** GeneralName: dNSName (RFC 5280, 4.2.1.6). */
    private static final Integer DNS_KIND = 2;

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
        return words(machine(own), own.getNotAfter().toInstant());
    }

    /** The first name that it is for; else its subject. */
    private static String machine(X509Certificate certificate) {
        try {
            if (certificate.getSubjectAlternativeNames() != null) {
                for (List<?> name : certificate.getSubjectAlternativeNames()) {
                    if (DNS_KIND.equals(name.get(0)) && name.get(1) instanceof String host) {
                        return host;
                    }
                }
            }
        } catch (CertificateParsingException e) {
            // Its subject names it as well.
        }
        return certificate.getSubjectX500Principal().getName();
    }
}
