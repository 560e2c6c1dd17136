package io.leapnbd.donor.store;

import io.leapnbd.donor.protocol.Hello;
import io.leapnbd.donor.protocol.PageMarks;
import io.leapnbd.donor.protocol.Protocol;
import io.leapnbd.donor.protocol.SlabCopies;
import io.leapnbd.donor.protocol.SlabList;
import io.leapnbd.donor.protocol.Status;
import io.leapnbd.donor.protocol.Version;
import io.netty.buffer.ByteBuf;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.Objects;
import java.util.UUID;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The memory that a donor lends, with the semantics of the donor protocol and without its sockets.
 *
 * <p><b>Threads.</b> Every method may be called from any thread, event loops included, at any time: none waits for I/O, for
 * another request, or for longer than a few short critical sections. {@link #read}, {@link #write} and {@link #trim} allocate
 * nothing.
 *
 * <p><b>Answers</b> are bytes of {@link Status}, the same that travel in a reply's header.
 *
 * <p><b>Pages.</b> Each page is read as one version of it, never as a mix of two; a range of several pages may hold pages of
 * different ages if it is being written. A write or trim changes a page only if its version is at or above that of the page
 * ({@link Version}), and succeeds either way.
 */
public final class SlabStore implements SlabControl, AutoCloseable {

    private static final Logger LOG = LoggerFactory.getLogger(SlabStore.class);

    private static final long LEASE_CHECK_NANOS = TimeUnit.SECONDS.toNanos(1);
    private static final long CLOSE_NANOS = TimeUnit.SECONDS.toNanos(10);

    /** Bytes of which the marks are changed, and bytes that are zeroed, in about half a millisecond. */
    static final int TRIM_STEP = 128 << 20;

    static final int ZEROING_STEP = 4 << 20;
    private static final long[] NOTHING_LOST = {};

    /** The owner of links within this process. */
    static final String LOCAL = "local";

    private final StoreSettings settings;
    private final UUID incarnation;
    private final StoreCounters counters = new StoreCounters();
    private final SlabMemory memory;
    private final SlabPool pool;
    private final SlabTable table;
    private final ExportTable exports;
    private final SlabAccess access;
    private final SlabExposures exposures;
    private final int slabSize;
    private final Thread worker;

    private SlabStore(StoreSettings settings, UUID incarnation, boolean bytesElsewhere, SlabLedger ledger)
            throws IOException {
        this.settings = settings;
        this.incarnation = incarnation;
        slabSize = settings.slabSize();
        memory = new SlabMemory(settings, bytesElsewhere);
        pool = new SlabPool(memory, settings.readySlabs());
        table = new SlabTable(settings.totalSlabs());
        access = new SlabAccess(table, pool, counters, slabSize);
        exposures = new SlabExposures(access, pool, slabSize);
        exports = new ExportTable(
                settings,
                incarnation,
                new LentSlabs(incarnation, settings.slabSize(), table, pool, ledger),
                counters,
                ledger);
        worker = Thread.ofPlatform().daemon().name("slab-worker").unstarted(this::keep);
    }

    /**
     * Reserves the memory. Locking all memory of the process ({@code mlockall}) is to be done before, not after: it would make
     * all slabs resident, lent or not.
     *
     * @throws IOException if the kernel refuses, with what it said
     */
    public static SlabStore open(StoreSettings settings) throws IOException {
        return open(settings, UUID.randomUUID());
    }

    /**
     * Likewise, with an identity that was drawn before, so that what is drawn can be repeated.
     *
     * @param incarnation a random number that no other store has
     */
    public static SlabStore open(StoreSettings settings, UUID incarnation) throws IOException {
        SlabStore store = new SlabStore(settings, incarnation, false, SlabLedger.NONE);
        store.worker.start();
        return store;
    }

    /** One whose bytes are elsewhere: for {@link FileBackedStore}, which never reads, writes or trims through this. */
    static SlabStore openFor(FileBackedStore.Kept kept, SlabLedger ledger) throws IOException {
        SlabStore store = new SlabStore(kept.settings(), kept.incarnation(), true, ledger);
        new StoreRestore(store.settings, store.pool, store.table, store.exports).restore(kept);
        store.worker.start();
        return store;
    }

    /** As {@link #hello(Hello, Runnable)}, for a link that finds out by itself that it is fenced off. */
    public Admission hello(Hello hello) {
        return hello(hello, () -> {});
    }

    /** As {@link #hello(Hello, Identity, String, Runnable)}, for a link of this process. */
    @Override
    public Admission hello(Hello hello, Runnable onFenced) {
        return hello(hello, Identity.ANONYMOUS, LOCAL, onFenced);
    }

    /**
     * Opens a link: observes the export, claims it or joins a claim. When this has returned OK for a claim, nothing that an older claim
     * asks for changes a byte.
     *
     * <p>The reply's {@code freeLinks} is {@link Integer#MAX_VALUE}: links are counted by listeners, not by the store.
     *
     * @param identity who the link's peer is
     * @param owner whose limit counts, as the listener knows: see {@link OwnerLimits}. At most 255 bytes
     * @param onFenced run once when a newer claim owns the export, on that claimer's thread and before it is answered; must not block
     */
    public Admission hello(Hello hello, Identity identity, String owner, Runnable onFenced) {
        counters.hellos.increment();
        Admission admission = exports.hello(hello, identity, owner, onFenced);
        counters.ended(admission.status());
        return admission;
    }

    /**
     * Says that something of a link has arrived, before its requests are asked for: other servers are told how long ago that was.
     * For the one thread that serves the link.
     */
    public void heard(Claim claim) {
        claim.heard(settings.nanoClock().getAsLong());
    }

    /** Answers OK or {@link Status#FENCED}: when it has answered OK, no newer claim had been answered before. */
    public byte ping(Claim claim) {
        claim.answering();
        return counters.ended(claim.fenced() ? Status.FENCED : Status.OK);
    }

    /** As {@link #grant(Claim, int, long, SlabCopies, long[])}, for an index with one copy, of which nothing is lost. */
    public Granted grant(Claim claim, int index, long version) {
        return grant(claim, index, version, NOTHING_LOST);
    }

    /** As {@link #grant(Claim, int, long, SlabCopies, long[])}, for an index with one copy. */
    public Granted grant(Claim claim, int index, long version, long[] lost) {
        return grant(claim, index, version, SlabCopies.ALONE, lost);
    }

    /**
     * Asks for a slab. If the export holds the one of this very grant, its handle is the answer, its pages as they are, whatever placements
     * have come since. If it holds another one for this index, of a lower generation, that is taken back first, even if no other is to be
     * had then. If its generation is as high or higher, the answer is {@link Status#STALE}. A fresh slab reads as zeros, but for what is lost.
     *
     * @param index which part of the device the slab is for, 0 or more
     * @param version of the grant, 1 or more, which the slab keeps, and which is its generation until it is placed; see {@link Version#ofGrant}
     * @param copies {@link SlabCopies#ALONE} or {@link SlabCopies#FILLING}. Not the one that this very grant has said before is
     *     {@link Status#BAD_REQUEST}
     * @param lost a bit for each page, from the first on, that is lost: it answers {@link Status#PAGE_LOST} until it is written or
     *     trimmed as a whole. May be shorter than the slab
     */
    public Granted grant(Claim claim, int index, long version, SlabCopies copies, long[] lost) {
        counters.grants.increment();
        claim.answering();
        Granted granted = exports.grant(claim, index, version, copies, lost);
        counters.ended(granted.status());
        return granted;
    }

    /**
     * Replaces what a slab's donor knows of its copies. A lower generation than the slab's is {@link Status#STALE}. The same again changes
     * nothing: with the same copies it is OK, with others {@link Status#BAD_REQUEST}. Nothing that an older claim has placed changes the answer
     * to a list any more.
     *
     * @param generation 1 or more; see {@link Version#ofGrant}
     * @param copies with the slab itself among its names exactly if it is live. If a slab of another grant is called {@code handle} now, the
     *     answer is {@link Status#NOT_OWNER}
     */
    @Override
    public byte place(Claim claim, int handle, long generation, SlabCopies copies) {
        claim.answering();
        return counters.ended(exports.place(claim, handle, generation, copies));
    }

    /**
     * Hands a slab back. Requests that are using it finish; its handle is not used again soon.
     *
     * @param generation of the slab as the server knows it, 1 or more. If the slab's is higher, the answer is {@link Status#STALE} and it stays
     */
    @Override
    public byte free(Claim claim, int handle, long generation) {
        counters.frees.increment();
        claim.answering();
        return counters.ended(exports.free(claim, handle, generation));
    }

    /** As {@link #list(Claim, int, int)}, as many as a frame over TCP holds. */
    @Override
    public Listing list(Claim claim, int fromIndex) {
        return list(claim, fromIndex, Protocol.MAX_PAYLOAD);
    }

    /**
     * Lists the export's slabs with indices of {@code fromIndex} or more.
     *
     * @param most bytes of the list's body at most; has to be enough for a slab
     */
    public Listing list(Claim claim, int fromIndex, int most) {
        counters.lists.increment();
        claim.answering();
        SlabList slabs = new SlabList();
        byte status = exports.list(claim, Math.max(0, fromIndex), most, slabs);
        return status == Status.OK ? new Listing(status, slabs) : new Listing(counters.ended(status), new SlabList());
    }

    /**
     * Tells which pages of a range of a slab are written, and which are lost. No request of an older claim changes that any more.
     *
     * @param offset a multiple of {@link PageMarks#GRANULE}
     * @param length one too, at most {@link PageMarks#MAX_RANGE}
     */
    @Override
    public MarkedPages pages(Claim claim, int handle, int offset, int length) {
        Slab slab = table.find(handle);
        byte status =
                PageMarks.isRange(offset, length) ? access.enter(claim, slab, offset, length) : SlabAccess.bad(claim);
        if (status != Status.OK || slab == null) {
            return new MarkedPages(counters.ended(status), new PageMarks(0));
        }
        try {
            PageMarks marks = new PageMarks(length);
            SlabPages.marks(slab, offset, marks);
            return new MarkedPages(Status.OK, marks);
        } finally {
            access.leave(slab);
        }
    }

    /**
     * Replaces the note that the claim came with. One with a version below that of the note that is there is ignored; the answer is OK.
     *
     * @param version 1 or more; a claim's own note has version 0
     * @param note up to {@link Protocol#MAX_NOTE} bytes, those that remain; copied
     */
    @Override
    public byte note(Claim claim, long version, ByteBuffer note) {
        claim.answering();
        return counters.ended(exports.note(claim, version, note.duplicate()));
    }

    /**
     * Gives the export up here, with all its slabs, from when the claim's last link is closed. Its lease ends then, whatever was left of it. A
     * newer claim makes that void.
     */
    public byte release(Claim claim) {
        claim.answering();
        return counters.ended(exports.release(claim));
    }

    /**
     * Reads a range of a slab. Bytes never written, or trimmed since, are zeros. A range that touches a lost page is {@link
     * Status#PAGE_LOST}, and what {@code into} holds then is of no use.
     *
     * @param length 0 to the slab's end
     * @param into direct, for this not to allocate; its indices stay as they are
     * @param index where in {@code into} the first byte goes
     */
    public byte read(Claim claim, int handle, int offset, int length, ByteBuf into, int index) {
        counters.reads.increment();
        Slab slab = table.find(handle);
        byte status = access.enter(claim, slab, offset, length);
        if (status != Status.OK || slab == null) {
            return counters.ended(status);
        }
        boolean whole;
        try {
            Objects.checkFromIndexSize(index, length, into.capacity());
            if (into.hasMemoryAddress()) {
                whole = SlabPages.read(slab, offset, length, into.memoryAddress() + index);
            } else {
                whole = Detour.read(slab, offset, length, into, index);
            }
        } finally {
            access.leave(slab);
        }
        if (!whole) {
            return counters.ended(Status.PAGE_LOST);
        }
        counters.bytesRead.add(length);
        return Status.OK;
    }

    /**
     * Writes a range of a slab. One that touches a part of a lost page is {@link Status#PAGE_LOST}, and changes nothing.
     *
     * @param version 1 to {@link Version#MAX_REQUEST}
     * @param from direct, for this not to allocate; its indices stay as they are
     * @param index where in {@code from} the first byte is
     */
    public byte write(Claim claim, int handle, int offset, int length, long version, ByteBuf from, int index) {
        counters.writes.increment();
        Slab slab = table.find(handle);
        byte status = access.enter(claim, slab, offset, length, version);
        if (status != Status.OK || slab == null) {
            return counters.ended(status);
        }
        slab.touch();
        int stale;
        try {
            Objects.checkFromIndexSize(index, length, from.capacity());
            if (from.hasMemoryAddress()) {
                stale = SlabPages.write(
                        slab, claim, offset, length, claim.base + version, from.memoryAddress() + index);
            } else {
                stale = Detour.write(slab, claim, offset, length, claim.base + version, from, index);
            }
        } finally {
            access.leave(slab);
        }
        return access.changed(stale, length, counters.bytesWritten);
    }

    /**
     * Makes a range of a slab read as zeros; pages that it covers whole count as not written, and not lost, from then on. One that
     * touches a part of a lost page is {@link Status#PAGE_LOST}, and changes nothing.
     *
     * @param version 1 to {@link Version#MAX_REQUEST}
     */
    public byte trim(Claim claim, int handle, int offset, int length, long version) {
        return trimPart(claim, handle, offset, length, 0, Math.max(0, length), version);
    }

    /**
     * How much of a trim can be done in about half a millisecond, in bytes; a multiple of a page. Trimmed pages of a slab that is exposed
     * are zeroed.
     */
    public int trimStep(int handle) {
        Slab slab = table.find(handle);
        return slab != null && slab.exposed ? ZEROING_STEP : TRIM_STEP;
    }

    /**
     * Does a part of a trim, so that a long one need not be done in one go. The first part is refused if the whole is not in order, and
     * then nothing is changed. A later part is refused like a request of its own, for example because the claim has ended meanwhile.
     *
     * @param from bytes of the range that the parts before have done; 0 for the first part
     * @param to bytes of the range that are done after this part. It ends where a page of the slab begins, or with the range
     */
    public byte trimPart(Claim claim, int handle, int offset, int length, int from, int to, long version) {
        if (from == 0) {
            counters.trims.increment();
        }
        return endPages(claim, handle, offset, length, from, to, version, false);
    }

    /**
     * Calls pages lost, whatever they hold: nobody may read that any more. A page with a higher version is left alone, as by a write.
     *
     * @param offset a multiple of a page, as {@code length}
     * @param version 1 to {@link Version#MAX_REQUEST}
     */
    public byte lose(Claim claim, int handle, int offset, int length, long version) {
        return losePart(claim, handle, offset, length, 0, Math.max(0, length), version);
    }

    /** Does a part of a loss; parts are those of {@link #trimPart}. */
    public byte losePart(Claim claim, int handle, int offset, int length, int from, int to, long version) {
        return endPages(claim, handle, offset, length, from, to, version, true);
    }

    private byte endPages(
            Claim claim, int handle, int offset, int length, int from, int to, long version, boolean lost) {
        Slab slab = table.find(handle);
        byte status = access.enter(claim, slab, offset, length, version);
        if (status != Status.OK || slab == null) {
            return counters.ended(status);
        }
        slab.touch();
        int stale;
        try {
            stale = lost
                    ? SlabPages.loseWritten(slab, claim, offset + from, offset + to, claim.base + version)
                    : SlabPages.trim(slab, claim, offset, length, offset + from, offset + to, claim.base + version);
        } finally {
            access.leave(slab);
        }
        return access.changed(stale, lost ? 0 : to - from, counters.bytesTrimmed);
    }

    /** Slabs whose memory others read. */
    public SlabExposures exposures() {
        return exposures;
    }

    SlabAccess access() {
        return access;
    }

    /** Answers a request with a body that is none. */
    public byte malformed(Claim claim) {
        claim.answering();
        return counters.ended(SlabAccess.bad(claim));
    }

    /** Slabs that could be granted now. */
    public int freeSlabs() {
        return pool.free();
    }

    /** Slabs that could be granted to the owner of a link now. */
    public int freeSlabs(@Nullable Claim claim) {
        int free = pool.free();
        return claim == null ? free : Math.min(free, claim.account.left());
    }

    /** Slabs that are lent and that the donor wants back: those beyond {@link #lendAtMost}. */
    public int wantedBack() {
        return pool.excess();
    }

    /**
     * Lends so many slabs at most from now on; as many as there are, before this is first called. More are not granted, and those that are lent
     * already are {@linkplain #wantedBack wanted back}, as every reply tells. Nothing is taken back: servers give slabs when they have moved what is
     * in them.
     *
     * @param slabs 0 or more; what is above {@link #totalSlabs} counts as that
     */
    public void lendAtMost(int slabs) {
        pool.lendAtMost(slabs);
    }

    /**
     * Lets owners hold so much from now on. Who has more keeps it, and is granted nothing until it has less. Any thread.
     *
     * @param limits by owner
     */
    public void limitOwners(OwnerLimits limits) {
        exports.limitOwners(limits);
    }

    /** Slabs in all. */
    public int totalSlabs() {
        return settings.totalSlabs();
    }

    /** Bytes of a slab; a multiple of {@link Protocol#PAGE_SIZE}. */
    public int slabSize() {
        return slabSize;
    }

    /** Random number of this store, drawn when it was opened: another one means that everything was lost. */
    public UUID incarnation() {
        return incarnation;
    }

    /**
     * Accepts no hello and no note any more, as ones for which there is no room. To be called before the links are closed because the process
     * ends: servers take that for its end, so nobody may take over after it.
     */
    public void admitNobody() {
        exports.admitNobody();
    }

    /** Gives all memory back. Claims are refused as {@link Status#FENCED} from now on. May wait for requests under way. */
    @Override
    public void close() {
        exports.close();
        worker.interrupt();
        boolean interrupted = false;
        try {
            worker.join();
            if (pool.awaitAllFree(CLOSE_NANOS)) {
                memory.close();
                return;
            }
        } catch (InterruptedException e) {
            interrupted = true;
        }
        // A request may still be using it: better leaked until the process ends than pulled away.
        LOG.warn("the memory of the slab store stays mapped");
        if (interrupted) {
            Thread.currentThread().interrupt();
        }
    }

    /** Takes back slabs whose lease has run out, as happens by itself within a second or so. */
    public void expireLeases() {
        exports.expireLeases();
    }

    /** How things are now. */
    public StoreStatistics statistics() {
        return new StoreStatistics(
                incarnation,
                slabSize,
                settings.totalSlabs(),
                pool.free(),
                pool.lent(),
                pool.excess(),
                memory.residentBytes(),
                memory.lockedBytes(),
                memory.lockableBytes(),
                memory.lockRefusal(),
                exports.statistics(),
                counters.hellos.sum(),
                counters.grants.sum(),
                counters.frees.sum(),
                counters.lists.sum(),
                counters.reads.sum(),
                counters.writes.sum(),
                counters.trims.sum(),
                counters.bytesRead.sum(),
                counters.bytesWritten.sum(),
                counters.bytesTrimmed.sum(),
                counters.refused.sum(),
                counters.fenced.sum(),
                counters.stalePages.sum(),
                counters.leasesExpired.sum(),
                exports.owners(),
                counters.overLimit.sum());
    }

    /** The worker's life: prepares and wipes slabs, and ends leases. */
    private void keep() {
        try {
            while (!Thread.currentThread().isInterrupted()) {
                if (!pool.work()) {
                    pool.awaitWork(LEASE_CHECK_NANOS);
                    exports.expireLeases();
                }
            }
        } catch (InterruptedException e) {
            LOG.debug("slab worker ends");
        } catch (RuntimeException e) {
            LOG.error("slab worker failed; slabs are prepared by whoever writes them from now on", e);
        }
    }
}
