package io.leapnbd.bypass.map;

import io.leapnbd.bypass.cipher.CipherKind;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.jspecify.annotations.Nullable;

/**
 * What a device takes of the machine that serves it, by its size and that of its slabs: estimates on the safe side, to refuse what
 * cannot be before anything is created.
 */
public final class DeviceNeed {

    private static final long MIB = 1L << 20;

    /** A reference in the map, and if a donor holds the slab some 100 bytes more. */
    private static final long HEAP_PER_SLAB = 128;

    /** A copy more, in the map and in the plan of a start. */
    private static final long HEAP_PER_COPY = 96;

    /** What else there is on a server's heap, at least. */
    private static final long OTHER_HEAP = 16 * MIB;

    private DeviceNeed() {}

    /** A device for which the JVM's heap is too small. */
    public static final class HeapTooSmall extends IOException {

        private static final long serialVersionUID = 1;

        private final long slabs;

        HeapTooSmall(long slabs, String message) {
            super(message);
            this.slabs = slabs;
        }

        /** Of how many slabs the device would be made. */
        public long slabs() {
            return slabs;
        }
    }

    /** Slabs of a device. */
    public static long slabs(long size, int slabSize) {
        return Math.ceilDiv(size, slabSize);
    }

    /** About how many bytes of heap its address map takes when all of it is held by donors, in so many copies. */
    public static long heap(long slabs, int copies) {
        return slabs * (HEAP_PER_SLAB + (copies - 1) * HEAP_PER_COPY);
    }

    /** How many bytes its state file takes at once. */
    static long stateFile(long size, int slabSize, CipherKind cipher) {
        return StateFile.length(size, Integer.numberOfTrailingZeros(slabSize), cipher);
    }

    /**
     * Refuses a device that this process and its state folder have no room for.
     *
     * @param size bytes of the device
     * @param slabSize bytes of a slab at its donors
     * @param copies of each slab
     * @param stateFile where its state file is, or will be; null for none
     * @param cipher how its pages are encrypted
     * @throws HeapTooSmall if the heap is in the way
     * @throws IOException if something else is; one sentence for the operator either way
     */
    public static void check(long size, int slabSize, int copies, @Nullable Path stateFile, CipherKind cipher)
            throws IOException {
        long slabs = slabs(size, slabSize);
        String device = "a device of " + size / MIB + " MiB in slabs of " + slabSize / MIB + " MiB takes about ";
        long heap = Runtime.getRuntime().maxMemory();
        long need = heap(slabs, copies) + OTHER_HEAP;
        if (slabs > Integer.MAX_VALUE || need > heap) {
            throw new HeapTooSmall(
                    slabs,
                    device + Math.ceilDiv(need, MIB) + " MiB of the JVM's heap, which is " + heap / MIB
                            + " MiB; start donors with a larger --slab-size, or ask for a smaller --size");
        }
        if (stateFile == null) {
            return;
        }
        long needed = stateFile(size, slabSize, cipher);
        Path folder = stateFile.toAbsolutePath().getParent();
        while (folder != null && !Files.exists(folder)) {
            folder = folder.getParent();
        }
        long room = folder == null ? Long.MAX_VALUE : Files.getFileStore(folder).getUsableSpace();
        if (needed > room) {
            throw new IOException(device + Math.ceilDiv(needed, MIB) + " MiB for its state file, and " + folder
                    + " has room for " + room / MIB + " MiB; name another --state-dir, or ask for a smaller --size");
        }
    }
}
