package io.leapnbd.tools.serve;

import io.leapnbd.bypass.cipher.CipherKind;
import io.leapnbd.bypass.link.DonorAddress.Transport;
import io.leapnbd.donor.tls.LinkProtection;
import io.leapnbd.tools.cli.DonorAddress;
import io.leapnbd.tools.cli.HostPort;
import io.leapnbd.tools.http.SecurityLine;
import io.leapnbd.tools.pool.LinkSecurity;
import io.leapnbd.tools.pool.PoolFolder;
import java.net.InetSocketAddress;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermission;
import java.util.ArrayList;
import java.util.List;

/**
 * What holds of a server, from its settings: a line for each listener, one for the links to donors, one for the pages that they keep. The
 * endpoint adds its own.
 */
final class ServerSecurity {

    private ServerSecurity() {}

    /**
     * All of them.
     *
     * @param tcp where it listens, with the ports that it really has
     */
    static List<SecurityLine> lines(ServerSettings settings, List<HostPort> tcp) {
        List<SecurityLine> all = new ArrayList<>();
        for (Path path : settings.unix().paths()) {
            boolean everybody = settings.unix().access().mode().contains(PosixFilePermission.OTHERS_WRITE);
            all.add(new SecurityLine(
                    "NBD " + path,
                    !everybody,
                    settings.unix().description() + (everybody ? ": anybody on this machine may connect" : "")));
        }
        for (HostPort address : tcp) {
            all.add(tcp(address, settings.tls()));
        }
        all.add(links(settings.donors(), settings.links()));
        all.add(pages(settings));
        return all;
    }

    static SecurityLine tcp(HostPort address, TlsChoice tls) {
        String part = "NBD tcp " + address;
        if (tls.required()) {
            return new SecurityLine(
                    part,
                    true,
                    tls.folder() != null
                            ? "TLS, and a client's certificate is asked for"
                            : "TLS, and a key that the client shares is asked for");
        }
        InetSocketAddress at = address.resolve();
        String who = !at.isUnresolved() && at.getAddress().isLoopbackAddress()
                ? "anybody on this machine"
                : "whoever reaches this address";
        boolean none = tls.folder() == null && tls.keys() == null;
        return new SecurityLine(
                part,
                false,
                (none ? "no TLS: " : "TLS is not asked for: ") + who + " may read and write the device; use "
                        + (none ? "--unix, --tls-certificates or --tls-psk" : "--tls require, or --unix"));
    }

    /** How what is said to donors is protected on its way, and who they are. */
    static SecurityLine links(List<DonorAddress> donors, LinkSecurity security) {
        if (donors.isEmpty()) {
            return new SecurityLine("donor links", true, "none: the memory is this process's own");
        }
        boolean rdma = donors.stream().anyMatch(donor -> donor.transport() == Transport.RDMA);
        String over = "";
        if (rdma) {
            over = security.pagesEncrypted()
                    ? "; what RDMA devices read goes without, and is pages, which are encrypted"
                    : "; pages that RDMA devices read go without, and are not encrypted (--encrypt off)";
        }
        PoolFolder pool = security.pool();
        boolean tcp = donors.stream().anyMatch(donor -> donor.transport() == Transport.TCP);
        String shown = pool != null && tcp && pool.protection() == LinkProtection.AUTH
                ? "certificates and tags with donors of the pool (--link-security auth): headers go in clear, pages encrypted,"
                        + " and who is on the wire can destroy some"
                        + (rdma ? "; over RDMA TLS 1.3" : "")
                : "TLS 1.3 with donors of the pool";
        return new SecurityLine(
                "donor links",
                pool != null && !security.exposes(donors),
                pool != null ? shown + over : "plain: " + seen(donors, security) + ", and donors do not know who asks");
    }

    private static String seen(List<DonorAddress> donors, LinkSecurity security) {
        if (!security.exposes(donors)) {
            return "they do not leave this machine";
        }
        return "whoever sees the network's packets sees "
                + (security.pagesEncrypted() ? "which pages are used, though not what is in them" : "pages");
    }

    /** What donors know of the pages that they keep. */
    private static SecurityLine pages(ServerSettings settings) {
        if (settings.donors().isEmpty()) {
            return new SecurityLine("pages", true, "they stay in this process");
        }
        CipherKind cipher = settings.copies().encryption().kind();
        if (cipher.encrypts()) {
            return new SecurityLine(
                    "pages", true, "encrypted with " + cipher + ": donors cannot read them, nor change them unseen");
        }
        return new SecurityLine(
                "pages",
                false,
                "readable to donors; bytes that a fault has changed are "
                        + (settings.copies().seals() ? "found (--seals on)" : "not found (--seals off)"));
    }
}
