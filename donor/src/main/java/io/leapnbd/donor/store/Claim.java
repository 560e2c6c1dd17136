package io.leapnbd.donor.store;

import org.jspecify.annotations.Nullable;

/**
 * One link's right to an export: the epoch that its hello named. Closing it says that the link is gone; with the last link of
 * an export's current epoch its lease begins.
 *
 * <p>May be used from any thread. A claim with epoch 0 only observes: all but {@link SlabStore#list} is refused with
 * {@link io.leapnbd.donor.protocol.Status#NOT_CLAIMED}.
 */
public final class Claim implements AutoCloseable {

    final String name;

    /** Null if it only observes. */
    final @Nullable Export export;

    final long epoch;

    final Runnable onFenced;

    private final ExportTable table;

    Claim(ExportTable table, String name, @Nullable Export export, long epoch, Runnable onFenced) {
        this.table = table;
        this.name = name;
        this.export = export;
        this.epoch = epoch;
        this.onFenced = onFenced;
    }

    /** Whether a newer server owns the export, or the export was forgotten. Always false for one that only observes. */
    public boolean fenced() {
        Export claimed = export;
        return claimed != null && claimed.epoch != epoch;
    }

    /** Says that the link is gone. Does nothing the second time. */
    @Override
    public void close() {
        table.close(this);
    }
}
