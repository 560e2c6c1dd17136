package io.leapnbd.donor.store;

import io.leapnbd.donor.protocol.Hello;
import io.leapnbd.donor.protocol.HelloReply;
import io.leapnbd.donor.protocol.Protocol;
import io.leapnbd.donor.protocol.SlabCopies;
import io.leapnbd.donor.protocol.SlabList;
import io.leapnbd.donor.protocol.Status;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.UUID;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Who owns what: exports, their claims, leases and notes. Their slabs are in {@link LentSlabs}. {@code docs/ownership.md} says why the rules
 * are as they are.
 *
 * <p>One lock guards it all. It is held for a few map accesses at a time, for {@link LentSlabs#LISTED_AT_ONCE} entries of a list, or for the
 * marks of one slab's lost pages. Reads, writes and trims do not take it. Lock order: this one, then the pool's.
 */
final class ExportTable {

    private static final Logger LOG = LoggerFactory.getLogger(ExportTable.class);

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
    private final LentSlabs slabs;
    private final StoreCounters counters;
    private final SlabLedger ledger;
    private final OwnerAccounts owners;
    private int noteBytes;
    private boolean admitsNobody;

    ExportTable(StoreSettings settings, UUID incarnation, LentSlabs slabs, StoreCounters counters, SlabLedger ledger) {
        this.settings = settings;
        this.incarnation = incarnation;
        this.slabs = slabs;
        this.counters = counters;
        this.ledger = ledger;
        owners = new OwnerAccounts(settings.limits(), settings.slabSize());
    }

    /** Brings an export in that was kept with its slabs, before anybody asks. Nobody is its owner's link. */
    void restore(Export export) {
        lock.lock();
        try {
            export.leaseEnds = now() + settings.lease().toNanos();
            noteBytes += export.note.remaining();
            exports.put(export.name, export);
            owners.give(export, owners.of(SlabStore.LOCAL));
        } finally {
            lock.unlock();
        }
    }

    Admission hello(Hello hello, Identity identity, String owner, Runnable onFenced) {
        if (hello.problem() != null) {
            return Admission.refused(Status.BAD_REQUEST);
        }
        if (!hello.speaksOurVersion()) {
            return Admission.refused(Status.UNSUPPORTED_VERSION);
        }
        List<Claim> fenced = new ArrayList<>();
        Admission admission;
        lock.lock();
        try {
            admission = admit(hello, identity, owner, onFenced, fenced);
        } finally {
            lock.unlock();
        }
        tellFenced(fenced);
        return admission;
    }

    private Admission admit(Hello hello, Identity identity, String owner, Runnable onFenced, List<Claim> fenced) {
        if (admitsNobody) {
            return Admission.refused(Status.NO_SPACE);
        }
        expireLeases();
        Export export = exports.get(hello.export());
        // Also of one that is remembered by its epoch only: its owner may come back, and is to find the name free.
        Identity belongsTo = export != null ? export.identity : tombstones.identityOf(hello.export());
        if (belongsTo != null && !belongsTo.equals(identity)) {
            return Admission.ofAnother(belongsTo);
        }
        OwnerAccount account = owners.of(owner);
        return switch (hello.mode()) {
            case OBSERVE ->
                Admission.accepted(
                        describe(hello.export(), export, account),
                        new Claim(this, null, account, identity, HelloReply.NONE, 0, 0, now(), onFenced));
            case JOIN -> join(hello, export, account, onFenced);
            case CLAIM -> claim(hello, identity, export, account, onFenced, fenced);
        };
    }

    private Admission join(Hello hello, @Nullable Export export, OwnerAccount account, Runnable onFenced) {
        HelloReply found = describe(hello.export(), export, account);
        if (export == null
                || export.epoch != hello.epoch()
                || !export.claimant.instance().equals(hello.instance())) {
            return Admission.told(Status.FENCED, found);
        }
        return Admission.accepted(found, open(export, onFenced));
    }

    /** Compare, and set. */
    private Admission claim(
            Hello hello,
            Identity identity,
            @Nullable Export known,
            OwnerAccount account,
            Runnable onFenced,
            List<Claim> fenced) {
        long epoch = known == null ? tombstones.epochOf(hello.export()) : known.epoch;
        UUID content = known == null ? HelloReply.NONE : known.content;
        long noteVersion = known == null ? 0 : known.noteVersion;
        boolean same =
                epoch == hello.epoch() && content.equals(hello.foundContent()) && noteVersion == hello.foundNote();
        if (!same) {
            return Admission.told(Status.CONFLICT, describe(hello.export(), known, account));
        }
        ByteBuffer note = hello.note();
        int notesAfter = noteBytes + note.remaining() - (known == null ? 0 : known.note.remaining());
        if (notesAfter > MAX_NOTES
                || notesOf(account, known, note) > OwnerAccounts.share(MAX_NOTES)
                || (known == null && !roomForExport(account))) {
            return Admission.refused(Status.NO_SPACE);
        }
        Export export = known;
        if (export == null) {
            export = new Export(hello.export(), identity, tombstones.exhume(hello.export()));
            exports.put(hello.export(), export);
        }
        export.endClaims();
        // Nothing that older links do counts any more, so this is all that they have done.
        HelloReply found = describe(hello.export(), known, account);
        fenced.addAll(export.claims);
        if (hello.blank()) {
            slabs.takeBackAll(export);
        }
        owners.give(export, account);
        export.own(hello, copy(note), now(), found.highest());
        noteBytes = notesAfter;
        ledger.owned(export, hello.blank());
        return Admission.accepted(
                found.claimed(export.epoch, export.slabs.size(), freeFor(accountOf(export))), open(export, onFenced));
    }

    /** Bytes of an owner's notes, once an export has another one and is its. */
    private static int notesOf(OwnerAccount account, @Nullable Export known, ByteBuffer note) {
        int before = known != null && account.equals(known.account) ? known.note.remaining() : 0;
        return account.noteBytes + note.remaining() - before;
    }

    /** Whether an owner may make one more export, if need be after one that holds nothing is forgotten; its own if it has too many. */
    private boolean roomForExport(OwnerAccount account) {
        boolean enoughOfIts = account.exports >= OwnerAccounts.share(settings.maxExports());
        return (!enoughOfIts || forgetOne(account)) && (exports.size() < settings.maxExports() || forgetOne(null));
    }

    private int freeFor(OwnerAccount account) {
        return Math.min(slabs.free(), account.left());
    }

    private static OwnerAccount accountOf(Export export) {
        return Objects.requireNonNull(export.account, "an export that was claimed is somebody's");
    }

    private Claim open(Export export, Runnable onFenced) {
        Claim claim = new Claim(
                this,
                export,
                accountOf(export),
                export.identity,
                export.claimant.instance(),
                export.epoch,
                export.base,
                now(),
                onFenced);
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

    /** @param account of whom it is described to */
    private HelloReply describe(String name, @Nullable Export known, OwnerAccount account) {
        long now = now();
        Export export = known != null ? known : new Export(name, Identity.ANONYMOUS, tombstones.epochOf(name));
        HelloReply.Limits limits = new HelloReply.Limits(settings.slabSize(), settings.maxInFlight(), (int)
                settings.lease().toSeconds());
        HelloReply.Activity activity = new HelloReply.Activity(
                known == null ? -1 : millisSince(export.claimedAt, now),
                export.claims.isEmpty() ? -1 : millisSince(export.heard(), now),
                known == null ? -1 : millisSince(export.answered(now), now),
                export.claims.size());
        HelloReply.Room room = new HelloReply.Room(
                Integer.MAX_VALUE,
                account.limit == OwnerAccount.UNLIMITED
                        ? settings.totalSlabs()
                        : Math.min(settings.totalSlabs(), account.limit),
                freeFor(account),
                export.slabs.size(),
                account.limit,
                account.name);
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
                export.leaseEnds =
                        export.released ? now : now + settings.lease().toNanos();
                if (export.released && exports.remove(export.name, export)) {
                    forget(export);
                }
            }
        } finally {
            lock.unlock();
        }
    }

    byte note(Claim claim, long version, ByteBuffer note) {
        return asOwner(claim, refused -> refused, export -> {
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
            if (notesAfter > MAX_NOTES || notesOf(accountOf(export), export, note) > OwnerAccounts.share(MAX_NOTES)) {
                return Status.NO_SPACE;
            }
            replaceNote(export, copy(note), version);
            noteBytes = notesAfter;
            return Status.OK;
        });
    }

    /** Not by half: a note that is sent again because its answer was lost is not looked at. */
    private void replaceNote(Export export, ByteBuffer note, long version) {
        ByteBuffer before = export.note;
        long versionBefore = export.noteVersion;
        export.note(note);
        export.noteVersion = version;
        boolean kept = false;
        try {
            ledger.owned(export, false);
            kept = true;
        } finally {
            if (!kept) {
                export.note(before);
                export.noteVersion = versionBefore;
            }
        }
    }

    byte release(Claim claim) {
        return asOwner(claim, refused -> refused, export -> {
            export.released = true;
            return Status.OK;
        });
    }

    Granted grant(Claim claim, int index, long version, SlabCopies copies, long[] lost) {
        return asOwner(claim, refused -> new Granted(refused, 0), export -> {
            if (slabs.free() == 0) {
                expireLeases();
            }
            boolean mayHoldMore = accountOf(export).left() > 0;
            if (!mayHoldMore && !export.slabs.containsKey(index)) {
                counters.overLimit.increment();
            }
            return slabs.grant(export, index, version, copies, lost, mayHoldMore);
        });
    }

    byte place(Claim claim, int handle, long generation, SlabCopies copies) {
        return asOwner(claim, refused -> refused, export -> slabs.place(export, handle, generation, copies));
    }

    byte free(Claim claim, int handle, long generation) {
        return asOwner(claim, refused -> refused, export -> slabs.free(export, handle, generation));
    }

    /** What an export holds from an index on, in so many bytes at most. Others are let in between. */
    byte list(Claim claim, int fromIndex, int most, SlabList into) {
        long[] from = {fromIndex};
        byte status = Status.OK;
        while (from[0] >= 0 && status == Status.OK) {
            status = asOwner(claim, refused -> refused, export -> {
                from[0] = LentSlabs.list(export, from[0], most, into);
                return Status.OK;
            });
        }
        return status;
    }

    /**
     * Does something for an export under the lock, if a claim is still its owner's.
     *
     * @param refused what to answer with a status otherwise
     */
    private <T> T asOwner(Claim claim, Function<Byte, T> refused, Function<Export, T> action) {
        Export export = claim.export;
        if (export == null) {
            return refused.apply(Status.NOT_CLAIMED);
        }
        lock.lock();
        try {
            return claim.fenced() ? refused.apply(Status.FENCED) : action.apply(export);
        } finally {
            lock.unlock();
        }
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

    /**
     * Makes room by forgetting the export that lost its last link first, of those that hold nothing.
     *
     * @param of only one of this owner's; null for anybody's
     */
    private boolean forgetOne(@Nullable OwnerAccount of) {
        long latest = now() - KEEP_NANOS + settings.lease().toNanos();
        Export oldest = null;
        for (Export export : exports.values()) {
            if (export.claims.isEmpty()
                    && export.slabs.isEmpty()
                    && (of == null || of.equals(export.account))
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
        slabs.takeBackAll(export);
        owners.take(export);
        noteBytes -= export.note.remaining();
        tombstones.bury(export.name, export.epoch, export.identity);
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

    void limitOwners(OwnerLimits limits) {
        lock.lock();
        try {
            owners.limit(limits);
        } finally {
            lock.unlock();
        }
    }

    List<OwnerStatistics> owners() {
        lock.lock();
        try {
            return owners.statistics();
        } finally {
            lock.unlock();
        }
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
                        export.identity,
                        export.slabs.size(),
                        LentSlabs.elsewhere(export),
                        export.epoch,
                        export.claimant.instance(),
                        links,
                        TimeUnit.NANOSECONDS.toSeconds(left),
                        export.content,
                        export.claimant.term(),
                        export.claimant.host(),
                        export.claimant.owner(),
                        export.account == null ? "" : export.account.name));
            }
            return all;
        } finally {
            lock.unlock();
        }
    }
}
