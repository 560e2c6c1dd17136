package io.leapnbd.donor.store;

import io.leapnbd.donor.protocol.HelloReply;
import java.util.LinkedHashSet;
import java.util.Set;
import java.util.TreeMap;
import java.util.UUID;

/** What a donor knows of an export. Everything but {@link #epoch} is guarded by the lock of {@link ExportTable}. */
final class Export {

    /** Epoch of an export that was forgotten: fences every claim that is still about. */
    static final long FORGOTTEN = Long.MAX_VALUE;

    final String name;

    /** Highest epoch that claimed it. Written under the lock, read by every request. */
    volatile long epoch;

    /** The server that claimed it. */
    UUID instance = HelloReply.NO_CONTENT;

    /** What that server said of the contents. */
    UUID content = HelloReply.NO_CONTENT;

    /** By index. */
    final TreeMap<Integer, Slab> slabs = new TreeMap<>();

    /** Open links of the current epoch. */
    final Set<Claim> claims = new LinkedHashSet<>();

    /** When the lease runs out, on the store's clock, if there are no {@link #claims}. */
    long leaseEnds;

    Export(String name) {
        this.name = name;
    }
}
