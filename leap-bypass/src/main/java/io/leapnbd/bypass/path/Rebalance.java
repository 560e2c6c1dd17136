package io.leapnbd.bypass.path;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;

/**
 * From which donor to which a slab goes, so that the donors' memory is as free at one as at another. A pure function.
 *
 * <p>What counts is the share of a donor's memory that is free, whoever uses the rest. A slab goes only where the shares of two donors differ by
 * more than a fifth, and where the slab does not turn that round. So each move makes the sum over all donors of <i>free² / total</i> smaller: there
 * is an end to it, and no slab goes back.
 */
final class Rebalance {

    /** Shares may differ by one in so many. */
    private static final int PART = 5;

    /** So many ways are told, those with the largest differences. */
    private static final int MOST = 16;

    private Rebalance() {}

    /**
     * What is known of a donor.
     *
     * @param donor its number
     * @param held slabs that it holds of this device
     * @param free slabs that it would grant
     * @param total slabs that it lends in all; above 0
     */
    record Room(int donor, int held, int free, int total) {}

    /**
     * A way that a slab may go.
     *
     * @param from number of the donor that has less free
     * @param to number of the one that has more
     * @param difference of the shares
     */
    record Way(int from, int to, double difference) {}

    /** The ways that slabs should go, the most needed first; none if all is well. */
    static List<Way> ways(List<Room> rooms) {
        List<Way> all = new ArrayList<>();
        for (Room from : rooms) {
            for (Room to : rooms) {
                if (from.held() > 0 && to.free() > 0 && isWorthwhile(from, to)) {
                    all.add(new Way(from.donor(), to.donor(), share(to) - share(from)));
                }
            }
        }
        all.sort(Comparator.comparingDouble(Way::difference).reversed());
        return all.subList(0, Math.min(MOST, all.size()));
    }

    private static boolean isWorthwhile(Room from, Room to) {
        // In whole numbers, as both sides are compared with the same product.
        long difference = (long) to.free() * from.total() - (long) from.free() * to.total();
        long product = (long) from.total() * to.total();
        return PART * difference > product && difference >= (long) from.total() + to.total();
    }

    private static double share(Room room) {
        return (double) room.free() / room.total();
    }
}
