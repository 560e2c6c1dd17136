package io.leapnbd.bypass.spill;

import io.leapnbd.donor.protocol.Protocol;
import io.leapnbd.donor.store.StoreSettings;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;

/**
 * Where pages go that no donor has room for.
 *
 * @param file with the whole way to it
 * @param size bytes of pages that it holds, a multiple of a slab at the donors
 */
public record SpillSettings(Path file, long size) {

    /** What its name among the donors begins with. */
    private static final String SCHEME = "spill:";

    /** Longest way to the file, in bytes: every donor keeps the names of all of them. */
    private static final int LONGEST = 100;

    /** Checks what can be checked without a look at anything. */
    public SpillSettings {
        file = file.toAbsolutePath().normalize();
        if (size < Protocol.MIN_SLAB_SIZE || size % Protocol.MIN_SLAB_SIZE != 0) {
            throw new IllegalArgumentException(
                    "--spill: a size of " + size
                            + " bytes is no multiple of a slab; name a multiple of the donors' --slab-size, 64M unless told otherwise");
        }
        if (file.toString().getBytes(StandardCharsets.UTF_8).length > LONGEST) {
            throw new IllegalArgumentException("--spill: the way to the file is longer than " + LONGEST
                    + " bytes, and every donor keeps it; name a shorter one");
        }
    }

    private static long mib(long bytes) {
        return bytes >> 20;
    }

    /** Whether a donor is called as a spill is. */
    public static boolean isName(String donor) {
        return donor.startsWith(SCHEME);
    }

    /** What it is called among the donors. */
    public String name() {
        return SCHEME + file;
    }

    /**
     * How many slabs there are.
     *
     * @throws IllegalArgumentException in one sentence for the operator, if that is no whole number from 1 on
     */
    int slots(int slabSize) {
        if (size < slabSize) {
            throw new IllegalArgumentException("--spill " + file + ": a size of " + mib(size)
                    + " MiB is less than one slab of the donors, " + mib(slabSize) + " MiB; name that or more");
        }
        if (size % slabSize != 0) {
            throw new IllegalArgumentException("--spill " + file + ": a size of " + mib(size)
                    + " MiB is no multiple of the donors' slabs, " + mib(slabSize) + " MiB; name "
                    + mib(size / slabSize * slabSize) + "M or " + mib((size / slabSize + 1) * slabSize) + "M");
        }
        if (size / slabSize > StoreSettings.MAX_SLABS) {
            throw new IllegalArgumentException("--spill " + file + ": " + size / slabSize + " slabs are too many; "
                    + StoreSettings.MAX_SLABS + " are possible");
        }
        return (int) (size / slabSize);
    }
}
