package io.leapnbd.tools.serve;

import io.leapnbd.bypass.RemoteDevice;
import io.leapnbd.bypass.link.Donor;
import io.leapnbd.bypass.link.DonorAddress;
import io.leapnbd.donor.tls.LinkProtection;
import io.leapnbd.donor.tls.LinkTls;
import io.leapnbd.donor.tls.PoolName;
import org.jspecify.annotations.Nullable;

/**
 * What protects the way to a donor. Any thread.
 *
 * @param tls what the server shows; null if it is of no pool
 * @param pagesEncrypted whether pages are before they leave the server
 */
record LinkStatus(RemoteDevice device, @Nullable LinkTls tls, boolean pagesEncrypted) {

    /** The name in the donor's certificate; empty if it has shown none. */
    static String certificate(Donor donor) {
        PoolName its = donor.shown();
        return its == null ? "" : its.name();
    }

    /** For people, in a table. */
    String column(Donor donor) {
        LinkProtection its = its(donor);
        if (its != null) {
            return (its == LinkProtection.AUTH ? "auth, " : "TLS, ") + certificate(donor);
        }
        if (device.donorSet().addressOf(donor) == null) {
            return "here";
        }
        return tls != null ? "-" : "none";
    }

    /** What messages have: {@code tls}, {@code auth} or {@code none}. */
    String protection(Donor donor) {
        LinkProtection its = its(donor);
        return its == null ? "none" : its.label();
    }

    /** Null if there is none. So it is of a donor that is away and may refuse tags. */
    private @Nullable LinkProtection its(Donor donor) {
        if (donor.shown() == null) {
            return null;
        }
        if (!tagged(donor)) {
            return LinkProtection.TLS;
        }
        return donor.up() ? LinkProtection.AUTH : null;
    }

    /** Whether all of it is encrypted. What RDMA devices read is as encrypted as pages are. */
    boolean encrypted(Donor donor) {
        return donor.shown() != null && !tagged(donor) && (!overRdma(donor) || pagesEncrypted);
    }

    /** Whether headers go in clear, with tags, when there is a link. */
    private boolean tagged(Donor donor) {
        return tls != null && tls.protection() == LinkProtection.AUTH && !overRdma(donor);
    }

    private boolean overRdma(Donor donor) {
        DonorAddress address = device.donorSet().addressOf(donor);
        return address != null && address.transport() == DonorAddress.Transport.RDMA;
    }
}
