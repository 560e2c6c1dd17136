package io.leapnbd.bypass.link;

import io.leapnbd.donor.protocol.HelloReply;
import java.util.UUID;

/**
 * What a link does that may not join, decided from what the server knows of the donor and what the donor says of the export. A pure function;
 * {@code docs/ownership.md}, "A link that comes back", is its table.
 *
 * @param action what to do
 * @param lost whether what the known donor process held is lost
 * @param blank whether a claim gives up what the donor holds
 */
record Rejoin(Action action, boolean lost, boolean blank) {

    enum Action {
        /** Claim the export there, as it was found: this shows that nobody else has claimed it there since. */
        CLAIM,
        /** Likewise, but it shows nothing: first it has to be certain that this server still owns the export. */
        ADMIT,
        /** Another of this server's links has claimed anew: join with the epoch that was found. */
        JOIN,
        /** A newer server owns the export. */
        FENCED,
        /** The donor has other contents of this name; it is of no use to this server. */
        FOREIGN,
        /** An operator gave it up. What it holds is not used; it is when its lease has ended, or its process has. */
        GIVEN_UP
    }

    /**
     * Decides.
     *
     * @param known what this server was at the donor
     * @param found what the donor says
     * @param content this server's
     * @param instance this server
     * @param givenUp whether an operator gave this donor process up
     */
    static Rejoin decide(DonorStanding known, HelloReply found, UUID content, UUID instance, boolean givenUp) {
        boolean same = known.isOf(found.incarnation());
        boolean held = known.incarnation() != null;
        if (!found.hasContent()) {
            // Another process, or the lease has ended: then the epoch is left, and tells whether somebody has claimed
            // since.
            boolean ours = same && known.isClaimed() && found.epoch() == known.epoch();
            return new Rejoin(ours ? Action.CLAIM : Action.ADMIT, held, false);
        }
        if (!found.content().equals(content)) {
            return new Rejoin(Action.FOREIGN, held, false);
        }
        if (found.instance().equals(instance)) {
            return same && known.isClaimed()
                    ? new Rejoin(Action.JOIN, false, false)
                    // A process that was given up for another one: what it has kept is old.
                    : new Rejoin(Action.CLAIM, held, true);
        }
        if (same && found.epoch() == known.epoch() && found.instance().equals(known.expected())) {
            return new Rejoin(Action.CLAIM, false, false);
        }
        return givenUp ? new Rejoin(Action.GIVEN_UP, held, false) : new Rejoin(Action.FENCED, false, false);
    }
}
