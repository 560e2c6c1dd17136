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
 */
public record LinkSecurity(@Nullable PoolFolder pool, boolean insecure) {

    /** For donors of this machine. */
    public static final LinkSecurity NONE = new LinkSecurity(null, false);

    /** Why a donor may not be reached like that, in a sentence; null if all may. */
    public @Nullable String objection(List<DonorAddress> donors) {
        for (DonorAddress donor : donors) {
            if (insecure || (donor.transport() == Transport.TCP && pool != null)) {
                continue;
            }
            if (donor.transport() == Transport.RDMA) {
                return "over RDMA nobody shows who he is, and nothing is encrypted; reach " + donor
                        + " over TCP with --pool, or say --insecure";
            }
            if (!isHere(donor)) {
                return "whoever is between here and " + donor
                        + " could read and change pages; give --pool FOLDER ('leap-nbd pool --help' says how to make it), or"
                        + " say --insecure";
            }
        }
        return null;
    }

    /** Whether something is reached that shows nobody who it is. */
    public boolean exposes(List<DonorAddress> donors) {
        return donors.stream()
                .anyMatch(donor -> donor.transport() == Transport.RDMA || (pool == null && !isHere(donor)));
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
