package io.leapnbd.donor.tls;

import io.leapnbd.donor.store.Identity;
import java.security.cert.CertificateException;
import java.security.cert.CertificateParsingException;
import java.security.cert.X509Certificate;
import java.util.Collection;
import java.util.List;
import java.util.Locale;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * What a certificate says of who holds it: one URI among its alternative names (RFC 5280, 4.2.1.6), {@code leap-nbd://POOL/ROLE/NAME}. The
 * subject and the names of hosts are for other programs, and nothing is decided by them here.
 *
 * @param pool for people: what counts is who has signed
 * @param role what it is good for
 * @param name the identity that exports belong to
 */
public record PoolName(String pool, Role role, String name) {

    private static final String SCHEME = "leap-nbd://";
    private static final Pattern URI = Pattern.compile(SCHEME + "([^/]+)/(donor|server|client)/([^/]+)");

    /** GeneralName: uniformResourceIdentifier. */
    private static final Integer URI_KIND = 6;

    /** Checks the names. */
    public PoolName {
        if (!Identity.isName(pool)) {
            throw new IllegalArgumentException(
                    "'" + pool + "' is no name of a pool; it has 1 to 64 of a-z, 0-9, '.', '-' and '_'");
        }
        if (!Identity.isName(name) || name.equals(Identity.ANONYMOUS.name())) {
            throw new IllegalArgumentException("'" + name + "' is no name of a machine in a pool; it has 1 to 64 of"
                    + " a-z, 0-9, '.', '-' and '_', and is not '" + Identity.ANONYMOUS + "'");
        }
    }

    /**
     * Reads it.
     *
     * @throws CertificateException in words that follow "its certificate", if there is not exactly one
     */
    public static PoolName of(X509Certificate certificate) throws CertificateException {
        PoolName found = null;
        Collection<List<?>> names;
        try {
            names = certificate.getSubjectAlternativeNames();
        } catch (CertificateParsingException e) {
            throw new CertificateException("is damaged", e);
        }
        if (names != null) {
            for (List<?> entry : names) {
                if (URI_KIND.equals(entry.get(0)) && entry.get(1) instanceof String text && text.startsWith(SCHEME)) {
                    if (found != null) {
                        throw new CertificateException("names two machines of a pool");
                    }
                    found = parse(text);
                }
            }
        }
        if (found == null) {
            throw new CertificateException("names no machine of a pool; 'leap-nbd pool add' makes one that does");
        }
        return found;
    }

    private static PoolName parse(String text) throws CertificateException {
        Matcher parts = URI.matcher(text);
        try {
            if (parts.matches()) {
                return new PoolName(
                        parts.group(1), Role.valueOf(parts.group(2).toUpperCase(Locale.ROOT)), parts.group(3));
            }
        } catch (IllegalArgumentException e) {
            throw new CertificateException("has a name that no machine of a pool has", e);
        }
        throw new CertificateException("has a name that no machine of a pool has");
    }

    /** As the certificate has it. */
    public String uri() {
        return SCHEME + pool + "/" + role.label() + "/" + name;
    }

    /** Whose exports a peer with this certificate has. */
    public Identity identity() {
        return new Identity(name);
    }
}
