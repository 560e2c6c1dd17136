package io.leapnbd.bypass.spill;

import io.leapnbd.donor.store.FileBackedStore;
import io.leapnbd.donor.store.KeptExport;
import io.leapnbd.donor.store.SlabFile;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.UUID;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.LongAdder;
import java.util.function.UnaryOperator;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A local file as a member of last resort: its store, the threads that wait for its disk, and what is told of it. Opened in two steps, since
 * how large slabs are is the donors' affair. Any thread once {@link #begin} has returned.
 */
public final class Spill implements AutoCloseable {

    private static final Logger LOG = LoggerFactory.getLogger(Spill.class);
    private static final Path BOOT_ID = Path.of("/proc/sys/kernel/random/boot_id");

    /** No line about the same thing comes sooner after the one before. */
    private static final long QUIET_NANOS = TimeUnit.MINUTES.toNanos(1);

    private final SpillSettings settings;
    private final String export;
    private final SpillFile file;
    private final UnaryOperator<SlabFile> disk;
    private final SpillThreads threads = new SpillThreads();
    private final List<AutoCloseable> buffers = new ArrayList<>();
    private final LongAdder errors = new LongAdder();
    private @Nullable FileBackedStore store;

    /** Guarded by this object's monitor, like what follows. */
    private boolean inUse;

    /** Whether the log says so. */
    private boolean told;

    private long saidInUse;
    private long saidError;
    private long unsaidErrors;

    private Spill(SpillSettings settings, String export, SpillFile file, UnaryOperator<SlabFile> disk) {
        this.disk = disk;
        this.settings = settings;
        this.export = export;
        this.file = file;
        saidInUse = System.nanoTime() - QUIET_NANOS;
        saidError = saidInUse;
    }

    /**
     * Opens and locks the file, which is made if it is not there. What it holds stays as it is.
     *
     * @param export that is served
     * @throws IOException if a spill cannot be there, or the file is another's; one sentence for the operator
     */
    public static Spill open(SpillSettings settings, String export) throws IOException {
        return open(
                settings,
                export,
                UUID.fromString(Files.readString(BOOT_ID).strip()),
                Path.of("/"),
                UnaryOperator.identity());
    }

    /**
     * Likewise, in a boot of this number, with the kernel's files in a folder.
     *
     * @param disk what is put between the store and its file
     */
    static Spill open(SpillSettings settings, String export, UUID boot, Path root, UnaryOperator<SlabFile> disk)
            throws IOException {
        Path path = settings.file();
        Path folder = path.getParent();
        if (folder == null || !Files.isDirectory(folder)) {
            throw new IOException("--spill " + path + ": the folder " + folder
                    + " is missing; make it, or name a file in one that is there");
        }
        String refusal = SpillPlace.refusal(folder.toRealPath().resolve(path.getFileName()), root, export);
        if (refusal != null) {
            throw new IOException("--spill " + path + " " + refusal);
        }
        return new Spill(settings, export, SpillFile.open(path, boot), disk);
    }

    /** What it is called among the donors. */
    public String name() {
        return settings.name();
    }

    /** Where it is. */
    public Path file() {
        return settings.file();
    }

    /** Bytes of the slabs that it holds for the export; 0 if it holds none, so that slabs of any size will do. */
    public int slabSizeHeld() throws IOException {
        KeptExport owner = file.export();
        return owner != null && owner.name().equals(export) && file.slabsHeld() > 0 ? file.slabSize() : 0;
    }

    /**
     * Allocates the file, and finds what the process before has left.
     *
     * @param slabSize bytes of a slab at the donors
     * @throws IOException if there is no room, or the file holds what this start would lose; one sentence for the operator
     */
    public void begin(int slabSize) throws IOException {
        int slots;
        try {
            slots = settings.slots(slabSize);
        } catch (IllegalArgumentException e) {
            throw new IOException(e.getMessage(), e);
        }
        KeptExport owner = file.export();
        int held = file.slabsHeld();
        if (owner != null && !owner.name().equals(export)) {
            if (held > 0) {
                throw new IOException("--spill " + settings.file() + " holds " + held + " slabs of export "
                        + owner.name() + "; name another file, or remove it if that export is not wanted any more");
            }
            file.disown();
        } else if (held > 0 && (file.slabSize() != slabSize || file.slots() != slots)) {
            throw new IOException("--spill " + settings.file() + " holds pages, and was begun with a size of "
                    + (((long) file.slots() * file.slabSize()) >> 20) + "M in slabs of " + (file.slabSize() >> 20)
                    + "M; give the same, or remove the file and give its pages up with --lose-missing");
        }
        file.lay(slabSize, slots);
        FileBackedStore opened = FileBackedStore.open(file.load(), disk.apply(file));
        store = opened;
        int lent = opened.lentSlabs();
        if (lent > 0) {
            LOG.warn(
                    "spill {} holds {} MiB of this export; they go back to donors when these have room",
                    settings.file(),
                    ((long) lent * slabSize) >> 20);
            synchronized (this) {
                inUse = true;
                told = true;
            }
        }
    }

    /** What it lends. */
    public FileBackedStore store() {
        FileBackedStore there = store;
        if (there == null) {
            throw new IllegalStateException("the spill has not begun");
        }
        return there;
    }

    /** Who waits for the disk. */
    public SpillThreads threads() {
        return threads;
    }

    /** Requests that the disk, or its file system, has failed. */
    public long errors() {
        return errors.sum();
    }

    /** The disk has failed a request. */
    public void failed(Exception e) {
        errors.increment();
        synchronized (this) {
            unsaidErrors++;
            long now = System.nanoTime();
            if (now - saidError >= QUIET_NANOS) {
                LOG.error(
                        "spill {}: {} ({} requests have failed since the last such line)",
                        settings.file(),
                        e.getMessage(),
                        unsaidErrors);
                saidError = now;
                unsaidErrors = 0;
            }
        }
    }

    /** What it lends has changed: says so when it begins or ends to be used, once a minute at most. */
    public void lent() {
        int now = store().lentSlabs();
        synchronized (this) {
            if (inUse == now > 0) {
                return;
            }
            inUse = now > 0;
            long time = System.nanoTime();
            if (inUse && time - saidInUse >= QUIET_NANOS) {
                saidInUse = time;
                told = true;
                LOG.warn(
                        "donors have no room, or do not answer: pages go to the spill {}, which is slower; add donors or memory",
                        settings.file());
            } else if (!inUse && told) {
                told = false;
                LOG.info("the spill {} is empty again", settings.file());
            }
        }
    }

    /** Closes something with this, when nobody uses it any more. */
    public synchronized void own(AutoCloseable more) {
        buffers.add(more);
    }

    /** Ends it. What the file holds stays. */
    @Override
    public void close() throws IOException {
        if (!threads.end()) {
            // Better leaked until the process ends than pulled away from under the disk.
            LOG.warn("the spill's disk does not end its requests; the file stays open until the process ends");
            return;
        }
        FileBackedStore opened = store;
        if (opened != null) {
            opened.close();
        }
        synchronized (this) {
            for (AutoCloseable one : buffers) {
                try {
                    one.close();
                } catch (Exception e) {
                    throw new IOException(e);
                }
            }
            buffers.clear();
        }
        file.close();
    }
}
