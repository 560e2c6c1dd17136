package io.leapnbd.bypass.takeover;

import java.util.UUID;
import org.jspecify.annotations.Nullable;

/**
 * What one donor answered when it was observed, or that it did not answer.
 *
 * @param donor its place in the server's list
 * @param address as the operator named it
 * @param found what it said; null if it did not answer
 * @param problem why it did not; null if it did
 * @param refused whether one end refuses the other, so that waiting does not help; then {@code problem} follows the donor's name
 */
record Greeting(
        int donor,
        String address,
        @Nullable Found found,
        @Nullable String problem,
        boolean refused) {

    static Greeting of(int donor, String address, Found found) {
        return new Greeting(donor, address, found, null, false);
    }

    static Greeting none(int donor, String address, String problem) {
        return new Greeting(donor, address, null, problem, false);
    }

    static Greeting refused(int donor, String address, String problem) {
        return new Greeting(donor, address, null, problem, true);
    }

    /**
     * The export as a donor knows it.
     *
     * @param incarnation identity of the donor process
     * @param slabSize bytes of a slab
     * @param epoch of the last claim; 0 proves that this process never had the export
     * @param content of the last claim; {@link #NONE} if nothing is held
     * @param owner the last claim's server
     * @param ownerAnswers whether that server was heard while the survey looked
     * @param answeredMillisAgo when the donor last answered the owner; -1 if never
     * @param freeLinks links that it would accept
     * @param freeSlabs slabs that it would grant
     * @param heldSlabs slabs of the export
     * @param note what the owner left for the next server
     */
    record Found(
            UUID incarnation,
            int slabSize,
            long epoch,
            UUID content,
            Owner owner,
            boolean ownerAnswers,
            long answeredMillisAgo,
            int freeLinks,
            int freeSlabs,
            int heldSlabs,
            Note note) {

        /** Stands for no content. */
        static final UUID NONE = new UUID(0, 0);

        boolean hasContent() {
            return !content.equals(NONE);
        }
    }

    /**
     * A server that has claimed.
     *
     * @param instance random number of the process
     * @param term its number among the export's servers
     * @param host number of its machine
     * @param text machine and process, for people
     * @param claimedMillisAgo when it claimed
     */
    record Owner(UUID instance, long term, UUID host, String text, long claimedMillisAgo) {

        static final Owner NOBODY = new Owner(Found.NONE, 0, Found.NONE, "", 0);
    }
}
