package io.leapnbd.bypass.takeover;

import io.leapnbd.bypass.map.LockedStateFile;
import io.leapnbd.bypass.map.StateFile;
import java.util.List;
import java.util.UUID;
import org.jspecify.annotations.Nullable;

/**
 * An export that this server has claimed.
 *
 * @param instance random number of this server
 * @param content random number of the contents
 * @param term of this server
 * @param slabSize bytes of a slab
 * @param state where the pages are
 * @param locked the state file's lock, to be closed after {@code state}
 * @param note what donors keep for the next server
 * @param standings what this server is at each donor, in the order of its list
 */
public record TakenExport(
        UUID instance,
        UUID content,
        long term,
        int slabSize,
        StateFile state,
        LockedStateFile locked,
        ExportNote note,
        List<Standing> standings) {

    /**
     * What a server is at one donor.
     *
     * @param incarnation the donor process that is meant; null if none is: then whatever answers is new to the server
     * @param epoch that the donor gave, or that it is expected to report
     * @param expected null if the export is claimed there; otherwise whose claim is expected to be found when the donor answers
     */
    public record Standing(@Nullable UUID incarnation, long epoch, @Nullable UUID expected) {

        /** Nothing is known of the donor. */
        public static final Standing NONE = new Standing(null, 0, null);
    }
}
