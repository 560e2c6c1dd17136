package io.leapnbd.donor.store;

import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.util.UUID;
import org.jspecify.annotations.Nullable;

/**
 * One link's right to an export, as its hello was given it. Closing it says that the link is gone; with the last link of an export its
 * lease begins. May be used from any thread.
 *
 * <p><b>How a newer claim knows what this one has done.</b> A request first notes its version in {@link #highest} and its time in
 * {@link #answered}, and then looks whether the claim has {@link #ended}. A newer claim first sets {@link #ended}, and then looks at
 * the two notes. All these accesses are volatile, so they happen in one order that everybody sees. If a request found that the claim had
 * not ended, its look comes before the newer claim's store in that order; so its notes come before the newer claim's look, which finds
 * them. (This is Dekker's rule: each side stores, then looks at what the other stores; at least one sees the other.) So every version
 * that may ever be found on a page is counted, and no request is answered after the time that was told.
 */
public final class Claim implements AutoCloseable {

    private static final VarHandle HIGHEST;

    static {
        try {
            HIGHEST = MethodHandles.lookup().findVarHandle(Claim.class, "highest", long.class);
        } catch (ReflectiveOperationException e) {
            throw new ExceptionInInitializerError(e);
        }
    }

    /** Null if it only observes. */
    final @Nullable Export export;

    /** Of the owner that the link is of. */
    final OwnerAccount account;
    /** Who the link's peer is. */
    private final Identity identity;

    /** The server that has it; zero if it only observes. */
    final UUID instance;

    final long epoch;

    /** What is added to the versions of its writes and trims: the highest that an older claim has used on a page here. */
    final long base;

    final Runnable onFenced;

    private final ExportTable table;

    /** Never false again once it is true. */
    private volatile boolean ended;

    /** Highest version of a request that this link has sent; without {@link #base}. Only grows. */
    private volatile long highest;

    /** When the link was last heard, on the store's clock. */
    private volatile long heard;

    /** When what was last answered was heard. */
    private volatile long answered;

    private volatile boolean readsUnseen;

    Claim(
            ExportTable table,
            @Nullable Export export,
            OwnerAccount account,
            Identity identity,
            UUID instance,
            long epoch,
            long base,
            long now,
            Runnable onFenced) {
        this.table = table;
        this.export = export;
        this.account = account;
        this.identity = identity;
        this.instance = instance;
        this.epoch = epoch;
        this.base = base;
        this.onFenced = onFenced;
        heard = now;
        answered = now;
    }

    /** Who the link's peer is: that of the export, unless it only observes. */
    public Identity identity() {
        return identity;
    }

    /** Whether it only observes. */
    public boolean observes() {
        return export == null;
    }

    /** Whether its requests are refused: a newer claim owns the export, its lease has ended, or this claim was closed. */
    public boolean fenced() {
        return ended;
    }

    /** Whether a claim of another server's owns the export now. A server that claims anew ends its own older links too. */
    public boolean ownedByAnother() {
        return table.ownedByAnother(this);
    }

    /** Says that the link is gone. Does nothing the second time. */
    @Override
    public void close() {
        table.close(this);
    }

    /**
     * Says that the peer may read slabs without asking, by RDMA: then it counts as answered for as long as the claim is open. To be
     * called before the hello is answered.
     */
    public void readsUnseen() {
        readsUnseen = true;
    }

    /** Notes that something of the link has arrived. For the one thread that serves it; before the requests are looked at. */
    void heard(long nanos) {
        heard = nanos;
    }

    /** Notes that a request is about to be answered, before a look at {@link #fenced}. */
    void answering() {
        long last = heard;
        if (answered != last) {
            answered = last;
        }
    }

    /** Notes a request's version, before a look at {@link #fenced}. */
    void raise(long version) {
        long was = highest;
        while (was < version && !HIGHEST.compareAndSet(this, was, version)) {
            was = highest;
        }
    }

    /** Ends it: only after this may one look at what it has noted. Under the table's lock. */
    void end() {
        ended = true;
    }

    long highest() {
        return highest;
    }

    long heard() {
        return heard;
    }

    long answered(long now) {
        return readsUnseen ? now : answered;
    }
}
