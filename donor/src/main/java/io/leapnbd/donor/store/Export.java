package io.leapnbd.donor.store;

import io.leapnbd.donor.protocol.Claimant;
import io.leapnbd.donor.protocol.Hello;
import io.leapnbd.donor.protocol.HelloReply;
import java.nio.ByteBuffer;
import java.util.LinkedHashSet;
import java.util.Set;
import java.util.TreeMap;
import java.util.UUID;
import org.jspecify.annotations.Nullable;

/** What a donor knows of an export. Guarded by the lock of {@link ExportTable}. */
final class Export {

    private static final ByteBuffer NO_NOTE = ByteBuffer.allocate(0);

    final String name;

    /** Whose it is, for good: its first claim's. */
    final Identity identity;

    /** Of the last claim; counts them. */
    long epoch;

    /** Of all its slabs. */
    UUID content = HelloReply.NONE;

    /** The server that has claimed it. */
    Claimant claimant = Claimant.NOBODY;

    /** What the owner leaves for the next server. Never written to. */
    ByteBuffer note = NO_NOTE;

    long noteVersion;

    /** Highest version that claims before the last one have used on pages here. */
    long base;

    /** Highest version of a request on links of the last claim that are closed. */
    long highestOfClosed;

    /** When the last claim was made, on the store's clock. */
    long claimedAt;

    /** When the last request was answered on links that are closed. */
    long answeredAt;

    /** By index. */
    final TreeMap<Integer, Slab> slabs = new TreeMap<>();

    /** Of whom has claimed it last; null if it was never claimed here. Its slabs and its note are counted there. */
    @Nullable
    OwnerAccount account;

    /** Open links of the last claim. */
    final Set<Claim> claims = new LinkedHashSet<>();

    /** Whether the owner has given it up: then the lease ends with its last link. */
    boolean released;

    /** When the lease runs out, on the store's clock, if there are no {@link #claims}. */
    long leaseEnds;

    Export(String name, Identity identity, long epoch) {
        this.name = name;
        this.identity = identity;
        this.epoch = epoch;
    }

    /** Holds a slab from now on. */
    void hold(Slab slab) {
        slabs.put(slab.index, slab);
        count(1);
    }

    /** Does not hold a slab any more. */
    void letGo(Slab slab) {
        if (slabs.remove(slab.index, slab)) {
            count(-1);
        }
    }

    /** Holds none any more. */
    void letGoOfAll() {
        count(-slabs.size());
        slabs.clear();
    }

    private void count(int more) {
        OwnerAccount its = account;
        if (its != null) {
            its.add(more);
        }
    }

    /** Has another note. */
    void note(ByteBuffer other) {
        OwnerAccount its = account;
        if (its != null) {
            its.noteBytes += other.remaining() - note.remaining();
        }
        note = other;
    }

    /** Ends every link. Only after that are {@link #highest} and {@link #answered} final. */
    void endClaims() {
        for (Claim claim : claims) {
            claim.end();
        }
    }

    /** Highest version of a request on links of the last claim. */
    long highest() {
        long highest = highestOfClosed;
        for (Claim claim : claims) {
            highest = Math.max(highest, claim.highest());
        }
        return highest;
    }

    /** When the owner was last answered. */
    long answered(long now) {
        long latest = answeredAt;
        for (Claim claim : claims) {
            long its = claim.answered(now);
            if (its - latest > 0) {
                latest = its;
            }
        }
        return latest;
    }

    /** When the owner was last heard; there are links. */
    long heard() {
        long latest = claimedAt;
        for (Claim claim : claims) {
            long its = claim.heard();
            if (its - latest > 0) {
                latest = its;
            }
        }
        return latest;
    }

    /** Forgets a link that is gone, but not what it has done. */
    boolean remove(Claim claim, long now) {
        if (!claims.remove(claim)) {
            return false;
        }
        claim.end();
        highestOfClosed = Math.max(highestOfClosed, claim.highest());
        long its = claim.answered(now);
        if (its - answeredAt > 0) {
            answeredAt = its;
        }
        return true;
    }

    /**
     * Gives it to the server that claims it. The links before are ended; for a claim that says blank the slabs were taken back.
     *
     * @param highest version that the owner before has used, as the new one is told
     */
    void own(Hello hello, ByteBuffer itsNote, long now, long highest) {
        // Blank pages have no versions.
        base = hello.blank() ? 0 : base + highest;
        highestOfClosed = 0;
        claims.clear();
        epoch++;
        content = hello.content();
        claimant = hello.claimant();
        note(itsNote);
        noteVersion = 0;
        released = false;
        claimedAt = now;
        answeredAt = now;
    }
}
