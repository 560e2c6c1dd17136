package io.leapnbd.bypass.path;

/**
 * What was asked of donors for reads beyond what clients asked for.
 *
 * @param sent reads that took long and were asked of a second donor too
 * @param won those of them that the second donor answered first
 * @param withheld reads that took long and were not, because 5 % more had been asked already or no buffer was free
 * @param probes reads asked of a slow donor too, to see whether it still is; nobody waits for them
 */
public record HedgeCounts(long sent, long won, long withheld, long probes) {

    /** Of nothing. */
    public static final HedgeCounts NONE = new HedgeCounts(0, 0, 0, 0);

    /** Both together. */
    public HedgeCounts plus(HedgeCounts other) {
        return new HedgeCounts(sent + other.sent, won + other.won, withheld + other.withheld, probes + other.probes);
    }
}
