package io.leapnbd.donor.store;

import io.leapnbd.donor.protocol.Hello;
import io.leapnbd.donor.protocol.HelloReply;
import io.leapnbd.donor.protocol.Protocol;
import io.leapnbd.donor.protocol.SlabCopies;
import io.leapnbd.donor.protocol.SlabList;
import io.leapnbd.donor.protocol.SlabName;
import io.leapnbd.donor.protocol.Status;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.ReentrantLock;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Who owns what: exports, their claims, leases and slabs. {@code docs/ownership.md} says why the rules are as they are.
 *
 * <p>One lock guards it all. It is held for a few map accesses at a time, for {@link #LISTED_AT_ONCE} entries of a list, or for the
 * marks of one slab's lost pages. Reads, writes and trims do not take it. Lock order: this one, then the pool's.
 */
final class ExportTable {

    private static final Logger LOG = LoggerFactory.getLogger(ExportTable.class);

    /** Entries of a list that are collected without letting others in. */
    private static final int LISTED_AT_ONCE = 2048;

    /** Bytes of all notes together. */
    static final int MAX_NOTES = 4 << 20;

    /**
     * How long an export without links is kept at least, on the clock. Its owner may answer by itself for a second after it was last
     * answered; until then the next server has to be told of it.
     */
    private static final long KEEP_NANOS = TimeUnit.SECONDS.toNanos(5);

    private final ReentrantLock lock = new ReentrantLock();
    private final Map<String, Export> exports = new LinkedHashMap<>();
    private final Tombstones tombstones = new Tombstones();
    private final StoreSettings settings;
    private final UUID incarnation;
    private final SlabTable table;
    private final SlabPool pool;
    private final StoreCounters counters;
    private int noteBytes;
    private boolean admitsNobody;

    ExportTable(StoreSettings settings, UUID incarnation, SlabTable table, SlabPool pool, StoreCounters counters) {
        this.settings = settings;
        this.incarnation = incarnation;
        this.table = table;
        this.pool = pool;
        this.counters = counters;
    }

    Admission hello(Hello hello, Runnable onFenced) {
        if (hello.problem() != null) {
            return new Admission(Status.BAD_REQUEST, null, null);
        }
        if (!hello.speaksOurVersion()) {
            return new Admission(Status.UNSUPPORTED_VERSION, null, null);
        }
        List<Claim> fenced = new ArrayList<>();
        Admission admission;
        lock.lock();
        try {
            admission = admit(hello, onFenced, fenced);
        } finally {
            lock.unlock();
        }
        tellFenced(fenced);
        return admission;
    }

    private Admission admit(Hello hello, Runnable onFenced, List<Claim> fenced) {
        if (admitsNobody) {
            return new Admission(Status.NO_SPACE, null, null);
        }
        expireLeases();
        Export export = exports.get(hello.export());
        return switch (hello.mode()) {
            case OBSERVE ->
                new Admission(
                        Status.OK,
                        describe(hello.export(), export),
                        new Claim(this, null, HelloReply.NONE, 0, 0, now(), onFenced));
            case JOIN -> join(hello, export, onFenced);
            case CLAIM -> claim(hello, export, onFenced, fenced);
        };
    }

    private Admission join(Hello hello, @Nullable Export export, Runnable onFenced) {
        HelloReply found = describe(hello.export(), export);
        if (export == null
                || export.epoch != hello.epoch()
                || !export.claimant.instance().equals(hello.instance())) {
            return new Admission(Status.FENCED, found, null);
        }
        return new Admission(Status.OK, found, open(export, onFenced));
    }

    /** Compare, and set. */
    private Admission claim(Hello hello, @Nullable Export known, Runnable onFenced, List<Claim> fenced) {
        long epoch = known == null ? tombstones.epochOf(hello.export()) : known.epoch;
        UUID content = known == null ? HelloReply.NONE : known.content;
        long noteVersion = known == null ? 0 : known.noteVersion;
        boolean same =
                epoch == hello.epoch() && content.equals(hello.foundContent()) && noteVersion == hello.foundNote();
        if (!same) {
            return new Admission(Status.CONFLICT, describe(hello.export(), known), null);
        }
        ByteBuffer note = hello.note();
        int notesAfter = noteBytes + note.remaining() - (known == null ? 0 : known.note.remaining());
        if (notesAfter > MAX_NOTES || (known == null && exports.size() >= settings.maxExports() && !forgetOne())) {
            return new Admission(Status.NO_SPACE, null, null);
        }
        Export export = known;
        if (export == null) {
            export = new Export(hello.export(), tombstones.exhume(hello.export()));
            exports.put(hello.export(), export);
        }
        export.endClaims();
        // Nothing that older links do counts any more, so this is all that they have done.
        HelloReply found = describe(hello.export(), known);
        fenced.addAll(export.claims);
        if (hello.blank()) {
            takeBackAll(export);
        }
        export.own(hello, copy(note), now(), found.highest());
        noteBytes = notesAfter;
        return new Admission(
                Status.OK, found.claimed(export.epoch, export.slabs.size(), pool.free()), open(export, onFenced));
    }

    private Claim open(Export export, Runnable onFenced) {
        Claim claim = new Claim(this, export, export.claimant.instance(), export.epoch, export.base, now(), onFenced);
        export.claims.add(claim);
        return claim;
    }

    /** Tells links that they are fenced off. One that cannot be told does not keep the others from it. */
    private static void tellFenced(List<Claim> fenced) {
        for (Claim claim : fenced) {
            try {
                claim.onFenced.run();
            } catch (RuntimeException e) {
                LOG.error(
                        "a link of an older claim does not end as it should; its requests are refused all the same", e);
            }
        }
    }

    private HelloReply describe(String name, @Nullable Export known) {
        long now = now();
        Export export = known != null ? known : new Export(name, tombstones.epochOf(name));
        HelloReply.Limits limits = new HelloReply.Limits(settings.slabSize(), settings.maxInFlight(), (int)
                settings.lease().toSeconds());
        HelloReply.Activity activity = new HelloReply.Activity(
                known == null ? -1 : millisSince(export.claimedAt, now),
                export.claims.isEmpty() ? -1 : millisSince(export.heard(), now),
                known == null ? -1 : millisSince(export.answered(now), now),
                export.claims.size());
        HelloReply.Room room =
                new HelloReply.Room(Integer.MAX_VALUE, settings.totalSlabs(), pool.free(), export.slabs.size());
        return new HelloReply(
                Protocol.VERSION,
                incarnation,
                limits,
                export.epoch,
                export.content,
                export.claimant,
                activity,
                room,
                export.highest(),
                export.noteVersion,
                export.note);
    }

    private long now() {
        return settings.nanoClock().getAsLong();
    }

    /** Rounded down, so that whoever waits for the rest of a time waits long enough. */
    private static long millisSince(long then, long now) {
        return Math.max(0, TimeUnit.NANOSECONDS.toMillis(now - then));
    }

    private static ByteBuffer copy(ByteBuffer note) {
        return ByteBuffer.allocate(note.remaining()).put(note).flip();
    }

    void close(Claim claim) {
        Export export = claim.export;
        lock.lock();
        try {
            if (export == null) {
                claim.end();
                return;
            }
            long now = now();
            if (export.remove(claim, now) && export.claims.isEmpty()) {
                export.leaseEnds = now + settings.lease().toNanos();
            }
        } finally {
            lock.unlock();
        }
    }

    byte note(Claim claim, long version, ByteBuffer note) {
        Export export = claim.export;
        if (export == null) {
            return Status.NOT_CLAIMED;
        }
        lock.lock();
        try {
            if (claim.fenced()) {
                return Status.FENCED;
            }
            if (version < 1 || note.remaining() > Protocol.MAX_NOTE) {
                return Status.BAD_REQUEST;
            }
            if (admitsNobody) {
                return Status.NO_SPACE;
            }
            if (version <= export.noteVersion) {
                return Status.OK;
            }
            int notesAfter = noteBytes + note.remaining() - export.note.remaining();
            if (notesAfter > MAX_NOTES) {
                return Status.NO_SPACE;
            }
            export.note = copy(note);
            export.noteVersion = version;
            noteBytes = notesAfter;
            return Status.OK;
        } finally {
            lock.unlock();
        }
    }

    Granted grant(Claim claim, int index, long version, SlabCopies copies, long[] lost) {
        Export export = claim.export;
        if (export == null) {
            return new Granted(Status.NOT_CLAIMED, 0);
        }
        lock.lock();
        try {
            if (claim.fenced()) {
                return new Granted(Status.FENCED, 0);
            }
            if (index < 0
                    || version < 1
                    || copies.count() > 0
                    || lost.length > settings.slabSize() / Protocol.PAGE_SIZE / Long.SIZE) {
                return new Granted(Status.BAD_REQUEST, 0);
            }
            Slab held = export.slabs.get(index);
            if (held != null && version <= held.generation) {
                return again(held, version, copies);
            }
            return lend(export, index, version, copies, lost, held);
        } finally {
            lock.unlock();
        }
    }

    /** A grant that is not above what is held: it was sent again, as its answer was lost, or it is late. */
    private static Granted again(Slab held, long version, SlabCopies copies) {
        if (version != held.grantVersion) {
            return new Granted(Status.STALE, 0);
        }
        // Whatever placements have come since; but anything else would be two grants of one number.
        return copies.filling() == held.grantedFilling
                ? new Granted(Status.OK, held.handle)
                : new Granted(Status.BAD_REQUEST, 0);
    }

    /** Lends a blank slab in place of the one that is held, if there is one. */
    private Granted lend(Export export, int index, long version, SlabCopies copies, long[] lost, @Nullable Slab held) {
        if (held != null) {
            export.slabs.remove(index);
            takeBack(held);
        }
        if (pool.free() == 0) {
            expireLeases();
        }
        int slot = pool.take();
        if (slot < 0) {
            return new Granted(Status.NO_SPACE, 0);
        }
        Slab slab = new Slab(
                export, index, table.nextHandle(slot), slot, pool.data(slot), pool.words(slot), version, copies);
        SlabPages.lose(slab, lost);
        table.put(slab);
        export.slabs.put(index, slab);
        return new Granted(Status.OK, slab.handle);
    }

    byte place(Claim claim, int handle, long generation, SlabCopies copies) {
        Export export = claim.export;
        if (export == null) {
            return Status.NOT_CLAIMED;
        }
        lock.lock();
        try {
            if (claim.fenced()) {
                return Status.FENCED;
            }
            // Those that are named are live, and this slab is or is not.
            if (generation < 1 || copies.count() == 0 || copies.names(incarnation, handle) == copies.filling()) {
                return Status.BAD_REQUEST;
            }
            Slab slab = table.find(handle);
            if (slab == null || slab.export != export) {
                return Status.NOT_OWNER;
            }
            SlabName own = slab.name(incarnation);
            if (!copies.filling() && !copies.names(own)) {
                // The handle is used again since: the slab that is meant is not held any more.
                return Status.NOT_OWNER;
            }
            return slab.place(generation, copies.at(own));
        } finally {
            lock.unlock();
        }
    }

    byte free(Claim claim, int handle, long generation) {
        Export export = claim.export;
        if (export == null) {
            return Status.NOT_CLAIMED;
        }
        lock.lock();
        try {
            if (claim.fenced()) {
                return Status.FENCED;
            }
            if (generation < 1) {
                return Status.BAD_REQUEST;
            }
            Slab slab = table.find(handle);
            if (slab == null || slab.export != export) {
                return Status.NOT_OWNER;
            }
            if (generation < slab.generation) {
                return Status.STALE;
            }
            export.slabs.remove(slab.index);
            takeBack(slab);
            return Status.OK;
        } finally {
            lock.unlock();
        }
    }

    /** What an export holds from an index on, in so many bytes at most. */
    byte list(Claim claim, int fromIndex, int most, SlabList into) {
        Export export = claim.export;
        if (export == null) {
            return Status.NOT_CLAIMED;
        }
        long from = fromIndex;
        while (from >= 0) {
            lock.lock();
            try {
                if (claim.fenced()) {
                    return Status.FENCED;
                }
                from = listSome(export, from, most, into);
            } finally {
                lock.unlock();
            }
        }
        return Status.OK;
    }

    /** Where to go on; negative if this is the end. */
    private static long listSome(Export export, long from, int most, SlabList into) {
        if (from > Integer.MAX_VALUE) {
            return -1;
        }
        int listed = 0;
        for (Slab slab : export.slabs.tailMap((int) from, true).values()) {
            boolean placed = slab.generation != slab.grantVersion;
            if (into.encodedLength() + SlabList.entryLength(placed, slab.copies) > most) {
                into.more(true);
                return -1;
            }
            if (listed++ == LISTED_AT_ONCE) {
                return slab.index;
            }
            into.add(slab.index, slab.handle, slab.grantVersion, slab.generation, slab.touched, slab.copies);
        }
        return -1;
    }

    /** Takes back the slabs of exports whose lease has run out, and forgets these exports but for their epochs. */
    void expireLeases() {
        lock.lock();
        try {
            long now = now();
            for (Iterator<Export> all = exports.values().iterator(); all.hasNext(); ) {
                Export export = all.next();
                if (export.claims.isEmpty() && now - export.leaseEnds >= 0) {
                    all.remove();
                    forget(export);
                    counters.leasesExpired.increment();
                }
            }
        } finally {
            lock.unlock();
        }
    }

    /** Makes room by forgetting the export that lost its last link first, of those that hold nothing. */
    private boolean forgetOne() {
        long latest = now() - KEEP_NANOS + settings.lease().toNanos();
        Export oldest = null;
        for (Export export : exports.values()) {
            if (export.claims.isEmpty()
                    && export.slabs.isEmpty()
                    && export.leaseEnds - latest <= 0
                    && (oldest == null || export.leaseEnds - oldest.leaseEnds < 0)) {
                oldest = export;
            }
        }
        if (oldest == null) {
            return false;
        }
        exports.remove(oldest.name);
        forget(oldest);
        return true;
    }

    private void forget(Export export) {
        takeBackAll(export);
        noteBytes -= export.note.remaining();
        tombstones.bury(export.name, export.epoch);
    }

    private void takeBackAll(Export export) {
        for (Slab slab : export.slabs.values()) {
            takeBack(slab);
        }
        export.slabs.clear();
    }

    private void takeBack(Slab slab) {
        table.remove(slab);
        if (slab.close()) {
            pool.recycle(slab.slot);
        }
        Runnable exposure = slab.onTakenBack;
        if (exposure != null) {
            exposure.run();
        }
    }

    boolean ownedByAnother(Claim claim) {
        Export export = claim.export;
        lock.lock();
        try {
            return export != null
                    && export.equals(exports.get(export.name))
                    && !export.claimant.instance().equals(claim.instance);
        } finally {
            lock.unlock();
        }
    }

    void admitNobody() {
        lock.lock();
        try {
            admitsNobody = true;
        } finally {
            lock.unlock();
        }
    }

    /** Takes everything back; all claims are fenced off, and there are no new ones. */
    void close() {
        List<Claim> fenced = new ArrayList<>();
        lock.lock();
        try {
            admitsNobody = true;
            for (Export export : exports.values()) {
                export.endClaims();
                fenced.addAll(export.claims);
                export.claims.clear();
                forget(export);
            }
            exports.clear();
        } finally {
            lock.unlock();
        }
        tellFenced(fenced);
    }

    List<ExportStatistics> statistics() {
        lock.lock();
        try {
            long now = now();
            List<ExportStatistics> all = new ArrayList<>(exports.size());
            for (Export export : exports.values()) {
                int links = export.claims.size();
                long left = links > 0 ? settings.lease().toNanos() : Math.max(0, export.leaseEnds - now);
                all.add(new ExportStatistics(
                        export.name,
                        export.slabs.size(),
                        export.epoch,
                        export.claimant.instance(),
                        links,
                        TimeUnit.NANOSECONDS.toSeconds(left),
                        export.content,
                        export.claimant.term(),
                        export.claimant.host(),
                        export.claimant.owner()));
            }
            return all;
        } finally {
            lock.unlock();
        }
    }
}
