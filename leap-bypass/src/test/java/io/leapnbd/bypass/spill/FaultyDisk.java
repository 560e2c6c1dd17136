package io.leapnbd.bypass.spill;

import io.leapnbd.donor.protocol.PageMarks;
import io.leapnbd.donor.store.KeptExport;
import io.leapnbd.donor.store.KeptSlab;
import io.leapnbd.donor.store.SlabFile;
import java.io.IOException;
import java.nio.file.Path;
import java.util.UUID;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicInteger;
import org.jspecify.annotations.Nullable;

/** The disk of a spill, which hangs or fails when a test says so. Any thread. */
public final class FaultyDisk implements SlabFile {

    private final AtomicInteger hanging = new AtomicInteger();
    private volatile CountDownLatch goesOn = new CountDownLatch(0);
    private volatile boolean fails;
    private @Nullable SlabFile file;

    /** One that is well. */
    public FaultyDisk() {}

    /** A spill on this disk that has begun. */
    public Spill spill(Path path, long size, int slabSize, String export) throws IOException {
        Spill spill = Spill.open(new SpillSettings(path, size), export, new UUID(1, 1), Path.of("/"), real -> {
            file = real;
            return this;
        });
        spill.begin(slabSize);
        return spill;
    }

    /** From now on bytes are neither read nor written. */
    public void hang() {
        goesOn = new CountDownLatch(1);
    }

    /** What has hung goes on. */
    public void goOn() {
        goesOn.countDown();
    }

    /** How many requests hang. */
    public int hanging() {
        return hanging.get();
    }

    /** Whether bytes cannot be read and written. */
    public void fail(boolean now) {
        fails = now;
    }

    private SlabFile file() throws IOException {
        hanging.incrementAndGet();
        try {
            goesOn.await();
        } catch (InterruptedException e) {
            throw new IOException(e);
        }
        hanging.decrementAndGet();
        if (fails) {
            throw new IOException("this disk has failed");
        }
        return real();
    }

    private SlabFile real() {
        SlabFile real = file;
        if (real == null) {
            throw new IllegalStateException("no spill is on this disk");
        }
        return real;
    }

    @Override
    public void read(int slot, int offset, int length, long to) throws IOException {
        file().read(slot, offset, length, to);
    }

    @Override
    public void write(int slot, int offset, int length, long from) throws IOException {
        file().write(slot, offset, length, from);
    }

    @Override
    public void keepExport(KeptExport export, boolean blank) throws IOException {
        real().keepExport(export, blank);
    }

    @Override
    public void keepSlab(KeptSlab slab) throws IOException {
        real().keepSlab(slab);
    }

    @Override
    public void keepFree(KeptSlab slab) throws IOException {
        real().keepFree(slab);
    }

    @Override
    public void keepMarks(KeptSlab slab, int piece, boolean touched, PageMarks marks) throws IOException {
        real().keepMarks(slab, piece, touched, marks);
    }
}
