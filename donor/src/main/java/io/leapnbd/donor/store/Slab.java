package io.leapnbd.donor.store;

import io.leapnbd.donor.protocol.SlabCopies;
import io.leapnbd.donor.protocol.SlabName;
import io.leapnbd.donor.protocol.Status;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.UUID;

/**
 * One lending of a slab's memory: from its grant until it is handed back and the last request that uses it has left.
 *
 * <p>The memory belongs to this lending for as long as {@code users} is not exactly {@link #CLOSED}: not handed back, or
 * handed back while requests are inside. Whoever brings it to {@code CLOSED} gives the memory to the {@link SlabPool}; that
 * happens once, as nobody enters any more.
 *
 * <pre>
 *   users      31   30                              0
 *             +----+--------------------------------+
 *             | C  |   requests that are inside     |     C: handed back
 *             +----+--------------------------------+
 * </pre>
 */
final class Slab {

    private static final int CLOSED = 1 << 31;

    private static final Runnable[] NOBODY = {};

    private static final VarHandle USERS;

    static {
        try {
            USERS = MethodHandles.lookup().findVarHandle(Slab.class, "users", int.class);
        } catch (ReflectiveOperationException e) {
            throw new ExceptionInInitializerError(e);
        }
    }

    final Export export;

    /** Which part of the device it holds. */
    final int index;

    /** What requests call it. */
    final int handle;

    /** Which part of the pool's memory it is. */
    final int slot;

    /** Address of the first byte. */
    final long data;

    /** Address of the first page's word; see {@link SlabPages}. */
    final long words;

    /** Version of its grant: with process and handle, which slab it is. */
    final long grantVersion;

    /** Whether it was granted to be filled. */
    final boolean grantedFilling;

    /** Of its grant, or of the last that it was placed in. Guarded by the lock of {@link ExportTable}, like {@link #copies}. */
    long generation;

    /** Whether it is live, and which copies there are. */
    SlabCopies copies;

    /** Whether a write or trim was ever let in. Never false again once it is true. */
    volatile boolean touched;

    /**
     * Whether the memory is to be read without a look at the words: then the bytes of pages that are not written become and stay zeros.
     * Never false again once it is true.
     */
    volatile boolean exposed;

    /** Whether the bytes of pages that are not written <i>are</i> zeros by now. Never false again once it is true. */
    volatile boolean zeroed;

    /** Each is run when the slab is handed back, with locks held: must not block. Empty as long as it is not exposed. */
    private volatile Runnable[] readers = NOBODY;

    @SuppressWarnings("UnusedVariable")
    private volatile int users;

    Slab(Export export, int index, int handle, int slot, long data, long words, long grantVersion, SlabCopies copies) {
        this.export = export;
        this.index = index;
        this.handle = handle;
        this.slot = slot;
        this.data = data;
        this.words = words;
        this.grantVersion = grantVersion;
        grantedFilling = copies.filling();
        generation = grantVersion;
        this.copies = copies;
    }

    /**
     * Somebody reads its memory by himself from now on. Whoever is not {@linkplain #closed told afterwards} that it is handed back already
     * hears of it.
     */
    synchronized void readBy(Runnable onTakenBack) {
        Runnable[] more = Arrays.copyOf(readers, readers.length + 1);
        more[readers.length] = onTakenBack;
        readers = more;
    }

    /** He does not any more; once for each {@link #readBy}. */
    synchronized void notReadBy(Runnable onTakenBack) {
        List<Runnable> fewer = new ArrayList<>(Arrays.asList(readers));
        boolean _ = fewer.remove(onTakenBack);
        readers = fewer.toArray(NOBODY);
    }

    /** Who reads its memory by himself, at this moment. */
    Runnable[] readers() {
        return readers;
    }

    /** What it is called at its process, as no other slab ever is. */
    SlabName name(UUID incarnation) {
        return new SlabName(incarnation, handle, grantVersion);
    }

    /** Takes over what a server says of its copies. Under the table's lock; answers one of {@link Status}. */
    byte place(long asOf, SlabCopies told) {
        if (asOf < generation) {
            return Status.STALE;
        }
        if (asOf == generation) {
            // Sent again, as the answer was lost. Anything else would be two placements of one number.
            return told.equals(copies) ? Status.OK : Status.BAD_REQUEST;
        }
        generation = asOf;
        copies = told;
        return Status.OK;
    }

    /**
     * A write or trim is about to look at its claim. Whoever claims first and then reads {@link #touched} sees it, or the write sees that it is
     * fenced.
     */
    void touch() {
        if (!touched) {
            touched = true;
        }
    }

    /** Begins to use the memory; false if it was handed back. */
    boolean enter() {
        int was;
        do {
            was = users;
            if (was < 0) {
                return false;
            }
        } while (!USERS.compareAndSet(this, was, was + 1));
        return true;
    }

    /** Ends what {@link #enter} began; true if the caller has to give the memory to the pool. */
    boolean leave() {
        return (int) USERS.getAndAdd(this, -1) == CLOSED + 1;
    }

    /** Whether it was handed back. */
    boolean closed() {
        return users < 0;
    }

    /** Lets nobody enter any more; true if the caller has to give the memory to the pool. Called once. */
    boolean close() {
        return (int) USERS.getAndAdd(this, CLOSED) == 0;
    }
}
