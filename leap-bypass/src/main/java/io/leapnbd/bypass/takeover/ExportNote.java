package io.leapnbd.bypass.takeover;

import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.UUID;

/**
 * The note of the server that runs: changes as donor processes come and go and as slabs are lost. It goes with every claim, and to every
 * donor when it has changed. Any thread.
 */
public final class ExportNote {

    private static final int TERM_SHIFT = 32;

    private final long size;
    private final int slabShift;
    private final Map<UUID, String> members = new LinkedHashMap<>();
    private final BitSet lost;
    private boolean allLost;
    private long version;

    /**
     * A note that names nobody.
     *
     * @param term of the server
     * @param size bytes of the device
     * @param slabShift binary logarithm of the slab size
     * @param before the newest note that was found
     * @param allLost whether all that nobody holds is to be taken for lost, until {@link #loseExactly}
     */
    ExportNote(long term, long size, int slabShift, Note before, boolean allLost) {
        this.size = size;
        this.slabShift = slabShift;
        version = term << TERM_SHIFT;
        lost = (BitSet) before.lost().clone();
        this.allLost = allLost;
    }

    /** A donor process may hold slabs from now on. */
    public synchronized void add(UUID incarnation, String address) {
        if (!address.equals(members.put(incarnation, address))) {
            version++;
        }
    }

    /** A donor process has ended, or forgot the export; {@link #lose} names what it held. */
    public synchronized void remove(UUID incarnation) {
        if (members.remove(incarnation) != null) {
            version++;
        }
    }

    /** A slab is lost, and nobody holds another for its index. */
    public synchronized void lose(int slab) {
        if (!lost.get(slab)) {
            lost.set(slab);
            version++;
        }
    }

    /** What is lost, of that which nobody holds, is known exactly. */
    synchronized void loseExactly(BitSet exactly) {
        if (allLost || !lost.equals(exactly)) {
            lost.clear();
            lost.or(exactly);
            allLost = false;
            version++;
        }
    }

    /** As it is now. */
    public synchronized Note now() {
        List<Note.Member> all = new ArrayList<>();
        members.forEach((incarnation, address) -> all.add(new Note.Member(incarnation, address)));
        return new Note(version, size, slabShift, List.copyOf(all), (BitSet) lost.clone(), allLost);
    }

    /** As bytes, for a claim or a NOTE. */
    public ByteBuffer encode() {
        return now().encode();
    }

    /** Grows with every change. */
    public synchronized long version() {
        return version;
    }
}
