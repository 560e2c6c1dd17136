package io.leapnbd.bypass.link;

import java.util.UUID;
import org.jspecify.annotations.Nullable;

/**
 * What this server is at one donor, as far as it knows.
 *
 * @param incarnation the donor process that is meant; null if none is: then whatever answers is new to the server
 * @param epoch that the donor gave for the claim, or is expected to report
 * @param expected null if the export is claimed there; otherwise whose claim is expected to be found when the donor answers
 */
public record DonorStanding(
        @Nullable UUID incarnation, long epoch, @Nullable UUID expected) {

    /** Nothing is known of the donor. */
    public static final DonorStanding NONE = new DonorStanding(null, 0, null);

    /** The export is claimed there. */
    public static DonorStanding claimed(UUID incarnation, long epoch) {
        return new DonorStanding(incarnation, epoch, null);
    }

    /** Whether a link may join. */
    public boolean isClaimed() {
        return incarnation != null && expected == null;
    }

    public boolean isOf(@Nullable UUID process) {
        return process != null && process.equals(incarnation);
    }
}
