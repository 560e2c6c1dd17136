package io.leapnbd.donor.store;

import io.leapnbd.donor.protocol.Hello;
import io.leapnbd.donor.protocol.Protocol;
import io.leapnbd.donor.protocol.SlabList;
import io.leapnbd.donor.protocol.Status;
import io.leapnbd.donor.protocol.Version;
import io.netty.buffer.ByteBuf;
import java.io.IOException;
import java.util.List;
import java.util.UUID;

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
public final class SlabStore implements AutoCloseable {

    private final StoreSettings settings;

    private final UUID incarnation = UUID.randomUUID();

    private SlabStore(StoreSettings settings) {
        this.settings = settings;
    }

    /**
     * Reserves the memory.
     *
     * @throws IOException if the kernel refuses, with what it said
     */
    public static SlabStore open(StoreSettings settings) throws IOException {
        return new SlabStore(settings);
    }

    /** As {@link #hello(Hello, Runnable)}, for a link that finds out by itself that it is fenced off. */
    public Admission hello(Hello hello) {
        return hello(hello, () -> {});
    }

    /**
     * Opens a link: claims the export, or observes it if the epoch is 0. When this has returned OK for an epoch above the
     * last, nothing that an older claim asks for changes a byte.
     *
     * @param onFenced run once when a newer epoch claims the export, on that claimer's thread; must not block
     */
    public Admission hello(Hello hello, Runnable onFenced) {
        return new Admission(Status.NO_SPACE, null, null);
    }

    /**
     * Asks for a slab that reads as zeros. An index that the export already holds here is answered with the same handle, its
     * contents as they are.
     *
     * @param index which part of the device the slab is for, 0 or more
     * @param version of the grant, at or below the claim's epoch
     */
    public Granted grant(Claim claim, int index, long version) {
        return new Granted(Status.NO_SPACE, 0);
    }

    /** Hands a slab back. Requests that are using it finish; its handle is not used again soon. */
    public byte free(Claim claim, int handle) {
        return Status.NOT_OWNER;
    }

    /** Lists the export's slabs with indices of {@code fromIndex} or more: as many as one reply can tell, at least one. */
    public Listing list(Claim claim, int fromIndex) {
        return new Listing(Status.OK, new SlabList(false, List.of()));
    }

    /**
     * Reads a range of a slab. Bytes never written, or trimmed since, are zeros.
     *
     * @param length 0 to the slab's end
     * @param into direct, for this not to allocate; its indices stay as they are
     * @param index where in {@code into} the first byte goes
     */
    public byte read(Claim claim, int handle, int offset, int length, ByteBuf into, int index) {
        return Status.NOT_OWNER;
    }

    /**
     * Writes a range of a slab.
     *
     * @param version see {@link Version}; one of an epoch above the claim's is a {@link Status#BAD_REQUEST}
     * @param from direct, for this not to allocate; its indices stay as they are
     * @param index where in {@code from} the first byte is
     */
    public byte write(Claim claim, int handle, int offset, int length, long version, ByteBuf from, int index) {
        return Status.NOT_OWNER;
    }

    /** Makes a range of a slab read as zeros; pages that it covers whole count as not written from then on. */
    public byte trim(Claim claim, int handle, int offset, int length, long version) {
        return Status.NOT_OWNER;
    }

    /** Slabs that could be granted now. */
    public int freeSlabs() {
        return 0;
    }

    /** Slabs in all. */
    public int totalSlabs() {
        return settings.totalSlabs();
    }

    /** Bytes of a slab; a multiple of {@link Protocol#PAGE_SIZE}. */
    public int slabSize() {
        return settings.slabSize();
    }

    /** Random number of this store, drawn when it was opened: another one means that everything was lost. */
    public UUID incarnation() {
        return incarnation;
    }

    /** Gives all memory back. Claims are refused as {@link Status#FENCED} from now on. May wait for requests under way. */
    @Override
    public void close() {}
}
