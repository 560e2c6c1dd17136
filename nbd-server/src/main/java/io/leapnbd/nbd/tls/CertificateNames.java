package io.leapnbd.nbd.tls;

import io.netty.util.NetUtil;
import java.net.InetAddress;
import java.net.UnknownHostException;
import java.security.cert.CertificateParsingException;
import java.security.cert.X509Certificate;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.function.Predicate;
import org.jspecify.annotations.Nullable;

/**
 * The hosts' names and addresses that a certificate is for, as clients compare them (RFC 6125): the DNS names and IP addresses among its alternative names.
 *
 * @param hosts in the certificate's order
 */
public record CertificateNames(List<String> hosts) {

    /** GeneralName: dNSName and iPAddress (RFC 5280, 4.2.1.6). */
    private static final Integer DNS_KIND = 2;

    private static final Integer ADDRESS_KIND = 7;

    /** Copies the list. */
    public CertificateNames {
        hosts = List.copyOf(hosts);
    }

    /** Of a certificate; none if they cannot be read. */
    public static CertificateNames of(X509Certificate certificate) {
        List<String> hosts = new ArrayList<>();
        try {
            var names = certificate.getSubjectAlternativeNames();
            for (List<?> name : names == null ? List.<List<?>>of() : names) {
                boolean isHost = DNS_KIND.equals(name.get(0)) || ADDRESS_KIND.equals(name.get(0));
                if (isHost && name.get(1) instanceof String text) {
                    hosts.add(text);
                }
            }
        } catch (CertificateParsingException e) {
            return new CertificateNames(List.of());
        }
        return new CertificateNames(hosts);
    }

    /** Whether a machine of that name may be one of these: a short name and a full one are alike if the full one begins with the short one. */
    public boolean isMachine(String machine) {
        return hosts.stream().anyMatch(name -> alike(name, machine));
    }

    private static boolean alike(String one, String other) {
        String a = one.toLowerCase(Locale.ROOT);
        String b = other.toLowerCase(Locale.ROOT);
        return a.equals(b) || a.startsWith(b + ".") || b.startsWith(a + ".");
    }

    /**
     * Why clients refuse a server that listens there: the certificate does not name it. Null if it does, and of an address that is every one of a
     * machine's, or of this machine only.
     *
     * @param host name or address to listen on
     */
    public @Nullable String objection(String host) {
        byte[] bytes = NetUtil.createByteArrayFromIpAddressString(host);
        Predicate<String> same = host::equalsIgnoreCase;
        if (bytes != null) {
            try {
                InetAddress address = InetAddress.getByAddress(bytes);
                if (address.isAnyLocalAddress() || address.isLoopbackAddress()) {
                    return null;
                }
                same = name -> isAddress(name, address);
            } catch (UnknownHostException e) {
                return null;
            }
        } else if (host.equalsIgnoreCase("localhost")) {
            return null;
        }
        return hosts.stream().anyMatch(same)
                ? null
                : "the certificate is for " + this + " and not for " + host
                        + ", so clients that reach it there refuse it; make one that names it with 'leap-nbd pool add'";
    }

    private static boolean isAddress(String name, InetAddress address) {
        byte[] bytes = NetUtil.createByteArrayFromIpAddressString(name);
        try {
            return bytes != null && InetAddress.getByAddress(bytes).equals(address);
        } catch (UnknownHostException e) {
            return false;
        }
    }

    /** All of them, for people. */
    @Override
    public String toString() {
        return hosts.isEmpty() ? "no host" : String.join(", ", hosts);
    }
}
