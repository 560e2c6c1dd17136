package io.leapnbd.donor.store;

import java.util.List;
import java.util.UUID;
import org.jspecify.annotations.Nullable;

/**
 * A store at one moment. Counters begin at its opening.
 *
 * @param incarnation its random number
 * @param slabSize bytes of a slab
 * @param totalSlabs slabs in all
 * @param freeSlabs slabs that could be granted now
 * @param lentSlabs slabs that exports hold, and those handed back that a request is still using
 * @param wantedBack slabs that exports hold and that the donor wants back
 * @param residentBytes what free and lent slabs take of the machine's memory, their pages' versions included
 * @param lockedBytes how much of that cannot be swapped out
 * @param lockableBytes how much of the slabs would be locked if all were lent
 * @param lockRefusal why that is not everything; null if it is
 * @param exports those that hold slabs, have links, or had some within the lease
 * @param hellos links opened or refused
 * @param grants requests for a slab
 * @param frees slabs handed back on request
 * @param lists list requests
 * @param reads read requests
 * @param writes write requests
 * @param trims trim requests
 * @param bytesRead bytes that reads asked for and got
 * @param bytesWritten bytes of writes that were accepted
 * @param bytesTrimmed bytes of trims that were accepted
 * @param refused requests that did not end with OK
 * @param fenced those of them that an older server sent
 * @param stalePages pages that late writes and trims left alone
 * @param leasesExpired exports that were forgotten because their lease ran out
 * @param owners who has exports
 * @param overLimit grants that were refused because their owner holds what it may
 */
public record StoreStatistics(
        UUID incarnation,
        int slabSize,
        int totalSlabs,
        int freeSlabs,
        int lentSlabs,
        int wantedBack,
        long residentBytes,
        long lockedBytes,
        long lockableBytes,
        @Nullable String lockRefusal,
        List<ExportStatistics> exports,
        long hellos,
        long grants,
        long frees,
        long lists,
        long reads,
        long writes,
        long trims,
        long bytesRead,
        long bytesWritten,
        long bytesTrimmed,
        long refused,
        long fenced,
        long stalePages,
        long leasesExpired,
        List<OwnerStatistics> owners,
        long overLimit) {}
