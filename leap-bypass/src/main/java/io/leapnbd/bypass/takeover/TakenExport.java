package io.leapnbd.bypass.takeover;

import io.leapnbd.bypass.link.DonorStanding;
import io.leapnbd.bypass.map.LockedStateFile;
import io.leapnbd.bypass.map.StateFile;
import java.util.List;
import java.util.UUID;

/**
 * An export that this server has claimed.
 *
 * @param instance random number of this server
 * @param content random number of the contents
 * @param term of this server
 * @param slabSize bytes of a slab
 * @param copies how many there will be of a slab
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
        int copies,
        StateFile state,
        LockedStateFile locked,
        ExportNote note,
        List<DonorStanding> standings) {}
