package io.leapnbd.tools.donor;

import io.leapnbd.bypass.link.DonorAddress.Transport;
import io.leapnbd.donor.store.OwnerLimits;
import io.leapnbd.donor.tls.LinkProtection;
import io.leapnbd.donor.tls.LinkTls;
import io.leapnbd.tools.cli.HostPort;
import io.leapnbd.tools.http.SecurityLine;
import java.net.InetSocketAddress;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/** What holds of a donor: its links, and what one of its servers can take from the others. The endpoint adds its own line. */
final class DonorSecurity {

    private DonorSecurity() {}

    /**
     * Who may keep pages here, and who sees them on their way.
     *
     * @param tls what is shown to servers of the pool; null if there is none
     */
    static List<SecurityLine> links(HostPort listen, Set<Transport> transports, @Nullable LinkTls tls) {
        List<SecurityLine> all = new ArrayList<>();
        if (transports.contains(Transport.TCP)) {
            all.add(links(Transport.TCP, listen, tls, ""));
        }
        if (transports.contains(Transport.RDMA)) {
            all.add(links(
                    Transport.RDMA,
                    listen,
                    tls,
                    "; what their devices read goes as it is, which is what serve --encrypt is for"));
        }
        return all;
    }

    private static SecurityLine links(Transport transport, HostPort listen, @Nullable LinkTls tls, String more) {
        String part = "links " + transport.name().toLowerCase(Locale.ROOT) + " " + listen;
        return tls == null
                ? plain(part, listen)
                : new SecurityLine(
                        part,
                        true,
                        "TLS 1.3 with servers of pool '" + tls.own().pool()
                                + "'; an export is of the server that made it" + inClear(transport, tls) + more);
    }

    private static String inClear(Transport transport, LinkTls tls) {
        return transport == Transport.TCP && tls.protection() == LinkProtection.AUTH
                ? "; a server may ask for frames in clear with tags (--link-security tls forbids it)"
                : "";
    }

    private static SecurityLine plain(String part, HostPort listen) {
        InetSocketAddress at = listen.resolve();
        boolean here = !at.isUnresolved() && at.getAddress().isLoopbackAddress();
        return new SecurityLine(
                part,
                false,
                "plain: " + (here ? "anybody on this machine" : "whoever reaches this address")
                        + " may take memory, and claim an export that has no owner in a pool, and read it");
    }

    static SecurityLine limits(OwnerLimits limits) {
        boolean limited = limits.each() != OwnerLimits.UNLIMITED;
        return new SecurityLine(
                "limits",
                limited,
                limited
                        ? "for each server of a pool, and for each address of others"
                        : (limits.named().isEmpty()
                                        ? "none: one server"
                                        : "by --owners only: one server that is not in it")
                                + " may take all memory (--per-owner limits that)");
    }
}
