package io.leapnbd.prefetch;

import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/**
 * The {@linkplain Proposal pages that were proposed} and have not been demanded yet. One that is not demanded in time counts as
 * wrong: one that was fetched when it has been {@linkplain Displacement given up} for long, any other after some demands.
 *
 * <p>A hash table of buckets of eight. A full bucket gives up the oldest; besides, each {@link #sweep} looks at a few
 * places, so that nothing stays for ever when nothing new comes.
 */
final class Proposals {

    /** Is told what became of a proposal. */
    interface Judge {
        /**
         * A proposal is settled.
         *
         * @param right whether its page was demanded, in time, and still there
         */
        void judge(Proposal proposal, boolean right);
    }

    private static final int WAYS = 8;
    private static final int BUCKETS = 512;
    private static final int PLACES = BUCKETS * WAYS;

    /** Places that are looked at each demand for what has waited too long. */
    private static final int SWEEP = 2;

    /** Demands after which a proposal that was not fetched counts as wrong. */
    private static final long PATIENCE = 2048;

    /** What one takes. */
    static final long BYTES = PLACES * Proposal.BYTES + 512;

    private static final long NONE = -1;

    private final Judge judge;
    private final Displacement displacement;
    private final long[] pages = new long[PLACES];
    private final Proposal[] proposals = new Proposal[PLACES];
    private int swept;

    Proposals(Judge judge, Displacement displacement) {
        this.judge = judge;
        this.displacement = displacement;
        Arrays.fill(pages, NONE);
        Arrays.setAll(proposals, Proposal::new);
    }

    /** A page's proposal. */
    @Nullable
    Proposal find(long page) {
        int start = bucket(page);
        for (int at = start; at < start + WAYS; at++) {
            if (pages[at] == page) {
                return proposals[at];
            }
        }
        return null;
    }

    /** Whether its page was fetched, and has probably not been given up since. */
    boolean isHeld(Proposal proposal) {
        return proposal.isFetched() && !displacement.isGone(proposal.born());
    }

    /** A proposal's page is demanded: it was right, unless it was fetched and is not there any more. */
    void demanded(Proposal proposal, boolean hit) {
        if (proposal.isFetched()) {
            displacement.settled(proposal.born(), hit);
        }
        settle(proposal, !proposal.isFetched() || hit);
    }

    /** The proposal is void: its page has been overwritten. */
    void withdraw(Proposal proposal) {
        settle(proposal, false);
    }

    /**
     * Remembers a proposal.
     *
     * @param known the page's proposal so far, which this one takes the place of, if there is one
     * @param tick demands so far
     * @param fetched whether the page is fetched, not only thought of
     */
    void make(
            @Nullable Proposal known,
            long page,
            long tick,
            long now,
            int circumstances,
            @Nullable Stream stream,
            boolean fetched) {
        Proposal proposal = known != null ? known : room(page);
        pages[proposal.place()] = page;
        proposal.make(tick, now, circumstances, stream);
        if (fetched) {
            proposal.fetch(displacement.fetched());
        }
    }

    private Proposal room(long page) {
        int start = bucket(page);
        for (int at = start; at < start + WAYS; at++) {
            if (pages[at] == NONE) {
                return proposals[at];
            }
        }
        Proposal oldest = proposals[start];
        for (int at = start + 1; at < start + WAYS; at++) {
            if (proposals[at].madeAt() < oldest.madeAt()) {
                oldest = proposals[at];
            }
        }
        settle(oldest, false);
        return oldest;
    }

    /** Gives up what has waited too long, in the next places. Called once a demand. */
    void sweep(long tick) {
        for (int i = 0; i < SWEEP; i++) {
            if (pages[swept] != NONE && isLate(proposals[swept], tick)) {
                settle(proposals[swept], false);
            }
            swept = (swept + 1) & (PLACES - 1);
        }
    }

    private boolean isLate(Proposal proposal, long tick) {
        return proposal.isFetched() ? displacement.isHistory(proposal.born()) : tick - proposal.madeAt() > PATIENCE;
    }

    private void settle(Proposal proposal, boolean right) {
        pages[proposal.place()] = NONE;
        judge.judge(proposal, right);
    }

    private static int bucket(long page) {
        return ((int) (PageIndex.mix(page) >>> 20) & (BUCKETS - 1)) * WAYS;
    }
}
