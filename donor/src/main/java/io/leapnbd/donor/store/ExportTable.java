package io.leapnbd.donor.store;

import io.leapnbd.donor.protocol.Hello;
import io.leapnbd.donor.protocol.HelloReply;
import io.leapnbd.donor.protocol.Protocol;
import io.leapnbd.donor.protocol.Status;
import io.leapnbd.donor.protocol.Version;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.ReentrantLock;
import org.jspecify.annotations.Nullable;

/**
 * Who owns what: exports, their claims, leases and slabs.
 *
 * <p>One lock guards it all. It is held for a few map accesses at a time and never over a system call; reads, writes and trims
 * do not take it. Lock order: this one, then the pool's.
 */
final class ExportTable {

    private final ReentrantLock lock = new ReentrantLock();
    private final Map<String, Export> exports = new LinkedHashMap<>();
    private final StoreSettings settings;
    private final UUID incarnation;
    private final SlabTable table;
    private final SlabPool pool;
    private final StoreCounters counters;
    private boolean closed;

    ExportTable(StoreSettings settings, UUID incarnation, SlabTable table, SlabPool pool, StoreCounters counters) {
        this.settings = settings;
        this.incarnation = incarnation;
        this.table = table;
        this.pool = pool;
        this.counters = counters;
    }

    Admission hello(Hello hello, Runnable onFenced) {
        if (hello.minVersion() > hello.maxVersion() || hello.epoch() < 0 || hello.epoch() > Version.MAX_EPOCH) {
            return new Admission(Status.BAD_REQUEST, null, null);
        }
        if (hello.minVersion() > Protocol.VERSION || hello.maxVersion() < Protocol.VERSION) {
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
        for (Claim claim : fenced) {
            claim.onFenced.run();
        }
        return admission;
    }

    private Admission admit(Hello hello, Runnable onFenced, List<Claim> fenced) {
        if (closed) {
            return new Admission(Status.NO_SPACE, null, null);
        }
        expireLeases();
        Export export = exports.get(hello.export());
        HelloReply found = describe(export);
        if (hello.epoch() == 0) {
            return new Admission(Status.OK, found, new Claim(this, hello.export(), null, 0, onFenced));
        }
        if (export == null) {
            if (exports.size() >= settings.maxExports() && !forgetOne()) {
                return new Admission(Status.NO_SPACE, null, null);
            }
            export = new Export(hello.export());
            exports.put(hello.export(), export);
        } else if (hello.epoch() < export.epoch
                || (hello.epoch() == export.epoch && !hello.instance().equals(export.instance))) {
            return new Admission(Status.FENCED, found, null);
        }
        if (hello.epoch() > export.epoch) {
            fenced.addAll(export.claims);
            export.claims.clear();
            export.epoch = hello.epoch();
        }
        export.instance = hello.instance();
        export.content = hello.content();
        Claim claim = new Claim(this, hello.export(), export, hello.epoch(), onFenced);
        export.claims.add(claim);
        return new Admission(Status.OK, found, claim);
    }

    private HelloReply describe(@Nullable Export export) {
        return new HelloReply(
                Protocol.VERSION,
                settings.slabSize(),
                incarnation,
                export == null ? 0 : export.epoch,
                export == null ? HelloReply.NO_CONTENT : export.content,
                settings.totalSlabs(),
                pool.free(),
                export == null ? 0 : export.slabs.size(),
                settings.maxInFlight(),
                (int) settings.lease().toSeconds());
    }

    void close(Claim claim) {
        Export export = claim.export;
        if (export == null) {
            return;
        }
        lock.lock();
        try {
            if (export.claims.remove(claim) && export.claims.isEmpty()) {
                export.leaseEnds =
                        settings.nanoClock().getAsLong() + settings.lease().toNanos();
            }
        } finally {
            lock.unlock();
        }
    }

    Granted grant(Claim claim, int index, long version) {
        Export export = claim.export;
        if (export == null) {
            return new Granted(Status.NOT_CLAIMED, 0);
        }
        lock.lock();
        try {
            if (claim.fenced()) {
                return new Granted(Status.FENCED, 0);
            }
            if (index < 0 || version < 0 || Version.epoch(version) > claim.epoch) {
                return new Granted(Status.BAD_REQUEST, 0);
            }
            Slab held = export.slabs.get(index);
            if (held != null) {
                held.grantVersion = Math.max(held.grantVersion, version);
                return new Granted(Status.OK, held.handle);
            }
            if (pool.free() == 0) {
                expireLeases();
            }
            int slot = pool.take();
            if (slot < 0) {
                return new Granted(Status.NO_SPACE, 0);
            }
            Slab slab =
                    new Slab(export, index, table.nextHandle(slot), slot, pool.data(slot), pool.words(slot), version);
            table.put(slab);
            export.slabs.put(index, slab);
            return new Granted(Status.OK, slab.handle);
        } finally {
            lock.unlock();
        }
    }

    byte free(Claim claim, int handle) {
        Export export = claim.export;
        if (export == null) {
            return Status.NOT_CLAIMED;
        }
        lock.lock();
        try {
            if (claim.fenced()) {
                return Status.FENCED;
            }
            Slab slab = table.find(handle);
            if (slab == null || slab.export != export) {
                return Status.NOT_OWNER;
            }
            export.slabs.remove(slab.index);
            takeBack(slab);
            return Status.OK;
        } finally {
            lock.unlock();
        }
    }

    /** What an export holds from an index on, or that the claim is fenced off. */
    byte slabsFrom(Claim claim, int fromIndex, int most, List<Held> into) {
        lock.lock();
        try {
            if (claim.fenced()) {
                return Status.FENCED;
            }
            Export export = exports.get(claim.name);
            if (export != null) {
                for (Slab slab : export.slabs.tailMap(fromIndex, true).values()) {
                    if (into.size() == most) {
                        break;
                    }
                    into.add(new Held(slab, slab.grantVersion));
                }
            }
            return Status.OK;
        } finally {
            lock.unlock();
        }
    }

    /** Takes back the slabs of exports whose lease has run out, and forgets these exports. */
    void expireLeases() {
        lock.lock();
        try {
            long now = settings.nanoClock().getAsLong();
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
        Export oldest = null;
        for (Export export : exports.values()) {
            if (export.claims.isEmpty()
                    && export.slabs.isEmpty()
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
        export.epoch = Export.FORGOTTEN;
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

    /** Takes everything back; all claims are fenced off, and there are no new ones. */
    void close() {
        List<Claim> fenced = new ArrayList<>();
        lock.lock();
        try {
            closed = true;
            for (Export export : exports.values()) {
                fenced.addAll(export.claims);
                export.claims.clear();
                forget(export);
            }
            exports.clear();
        } finally {
            lock.unlock();
        }
        for (Claim claim : fenced) {
            claim.onFenced.run();
        }
    }

    List<ExportStatistics> statistics() {
        lock.lock();
        try {
            long now = settings.nanoClock().getAsLong();
            List<ExportStatistics> all = new ArrayList<>(exports.size());
            for (Export export : exports.values()) {
                int links = export.claims.size();
                long left = links > 0 ? settings.lease().toNanos() : Math.max(0, export.leaseEnds - now);
                all.add(new ExportStatistics(
                        export.name,
                        export.slabs.size(),
                        export.epoch,
                        export.instance,
                        links,
                        TimeUnit.NANOSECONDS.toSeconds(left)));
            }
            return all;
        } finally {
            lock.unlock();
        }
    }

    /** A slab, and the version of its grant at the time. */
    record Held(Slab slab, long grantVersion) {}
}
