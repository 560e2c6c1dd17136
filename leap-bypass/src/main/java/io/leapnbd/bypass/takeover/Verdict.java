package io.leapnbd.bypass.takeover;

import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.UUID;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/** Whether an export may be taken, and how. */
sealed interface Verdict {

    /**
     * It may not. Nothing has been changed anywhere.
     *
     * @param sentence for the operator: what is in the way, and what would be right
     * @param waitFor donors that did not answer and might change this, as they were named; empty if waiting does not help
     * @param unnamed a donor that has to be named; null if that is not what is in the way
     */
    record Refused(
            String sentence, List<String> waitFor, @Nullable String unnamed) implements Verdict {

        /** For another reason. */
        Refused(String sentence, List<String> waitFor) {
            this(sentence, waitFor, null);
        }
    }

    /**
     * It may.
     *
     * @param content to go on with; null for new ones
     * @param source where slabs are looked up
     * @param complete whether what the state file does not name is blank
     * @param term of this server
     * @param members what to claim first: donors that know of these contents
     * @param others what to claim when all of those are claimed, and their notes name these
     * @param gone donor processes whose slabs are lost
     * @param waiting by identity, donors of the file that do not answer now: their place in the server's list
     * @param unnamed addresses, by identity, of donors of the file that hold nothing. They are not among the server's.
     * @param unclaimed addresses that a later server has to ask. An earlier one may have claimed a process there.
     * @param givenUp donor processes that an operator gives up
     * @param abandoned donors whose slabs of these contents are not in use any more and are freed
     * @param unheldLost whether a slab that nobody holds is lost; otherwise it is blank unless {@code note} says that it is lost
     * @param note of the server before, the newest that was found
     * @param warnings for the log
     */
    record Granted(
            @Nullable UUID content,
            Source source,
            boolean complete,
            long term,
            List<ClaimOrder> members,
            List<ClaimOrder> others,
            Set<UUID> gone,
            Map<UUID, Integer> waiting,
            Map<UUID, String> unnamed,
            Set<String> unclaimed,
            Set<UUID> givenUp,
            Set<Integer> abandoned,
            boolean unheldLost,
            Note note,
            List<String> warnings)
            implements Verdict {

        /** All that is claimed. */
        List<ClaimOrder> claims() {
            return Stream.concat(members.stream(), others.stream()).toList();
        }
    }

    /** Where slabs are looked up. */
    enum Source {
        /** Nowhere: the device is blank. */
        BLANK,
        /** In the state file, joined with what donors list. */
        FILE,
        /** In donors' lists only. */
        LISTS
    }

    /**
     * One donor's compare-and-set.
     *
     * @param donor its place in the server's list
     * @param incarnation its identity
     * @param epoch that was observed
     * @param found content that was observed
     * @param blank whether its slabs are given up
     */
    record ClaimOrder(int donor, UUID incarnation, long epoch, UUID found, boolean blank) {}
}
