package io.leapnbd.tools.pool;

import io.leapnbd.bypass.link.DonorAddress.Transport;
import io.leapnbd.tools.cli.DonorAddress;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Whom a server talks to.
 *
 * @param pool whose donors alone; null for anybody
 * @param insecure whether what is neither authenticated nor encrypted may leave this machine
 * @param pagesEncrypted whether pages are ciphertext before they leave this process
 */
public record LinkSecurity(@Nullable PoolFolder pool, boolean insecure, boolean pagesEncrypted) {

    /** For donors of this machine. */
    public static final LinkSecurity NONE = new LinkSecurity(null, false, false);

    /** Why a donor may not be reached like that, in a sentence; null if all may. */
    public @Nullable String objection(List<DonorAddress> donors) {
        for (DonorAddress donor : donors) {
            if (insecure || !exposes(donor)) {
                continue;
            }
            if (pool != null) {
                return "pages that a device reads over RDMA are on the network as they are, and whoever is between here and "
                        + donor
                        + " could read and change them; leave --encrypt on, reach it over tcp, or say --insecure";
            }
            return "whoever is between here and " + donor
                    + " could read and change pages; give --pool FOLDER ('leap-nbd pool --help' says how to make it), or"
                    + " say --insecure";
        }
        return null;
    }

    /** Whether something can be read or changed on its way to a donor, or by somebody who shows nobody who he is. */
    public boolean exposes(List<DonorAddress> donors) {
        return donors.stream().anyMatch(this::exposes);
    }

    /** Messages over RDMA are protected in a pool like those over TCP. What devices read by themselves is not. */
    private boolean exposes(DonorAddress donor) {
        boolean rdma = donor.transport() == Transport.RDMA;
        return pool == null ? rdma || !isHere(donor) : rdma && !pagesEncrypted && !isHere(donor);
    }

    /** A name may come to mean another address, so it may be anywhere. */
    private static boolean isHere(DonorAddress donor) {
        return new io.leapnbd.bypass.link.DonorAddress(
                        donor.transport(),
                        donor.address().host(),
                        donor.address().port(),
                        donor.zone())
                .onThisMachine();
    }
}
