package io.leapnbd.bypass.takeover;

import io.leapnbd.bypass.cipher.CipherKind;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.UUID;
import org.jspecify.annotations.Nullable;

/**
 * The note of the server that runs: changes as donor processes come and go and as slabs are lost. It goes with every claim, and to every
 * donor when it has changed. Any thread.
 *
 * <p>An address that was named once stays until an operator gives its donor up: {@link #remove} takes the process away, not the address.
 */
public final class ExportNote {

    private static final int TERM_SHIFT = 32;

    private final long size;
    private final int slabShift;
    private final Map<UUID, String> members = new LinkedHashMap<>();
    private final Set<String> ended = new LinkedHashSet<>();
    private final Set<UUID> givenUp = new LinkedHashSet<>();
    private final Set<String> givenUpAddresses = new LinkedHashSet<>();
    private final BitSet lost;
    private boolean allLost;
    private int copies;
    private CipherKind cipher = CipherKind.NONE;
    private UUID boot = Note.LASTING;
    private long version;

    /**
     * A note that names nobody, and knows what the one before knew of lost slabs and of donors that were given up.
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
        givenUp.addAll(before.givenUp());
        givenUpAddresses.addAll(before.givenUpAddresses());
        lost = (BitSet) before.lost().clone();
        this.allLost = allLost;
    }

    /** How many copies a slab has where there is room. */
    public synchronized void copies(int wanted) {
        if (copies != wanted) {
            copies = wanted;
            version++;
        }
    }

    /** How pages are encrypted, and with which boot the state file goes, as {@link Note#boot}. Before the note is used. */
    synchronized void encrypted(CipherKind kind, UUID stateFileGoesWith) {
        cipher = kind;
        boot = kind.encrypts() ? stateFileGoesWith : Note.LASTING;
    }

    /** A donor process may hold slabs from now on. */
    public synchronized void add(UUID incarnation, String address) {
        boolean fresh = !address.equals(members.put(incarnation, address));
        boolean asked = ended.remove(address);
        boolean back = givenUp.remove(incarnation);
        boolean backHere = givenUpAddresses.remove(address);
        if (fresh || asked || back || backHere) {
            version++;
        }
    }

    /** A process that was named ended, or came to be, at this address: whoever reads this note has to ask there. */
    synchronized void addAddress(String address) {
        if (!namesAddress(address)) {
            ended.add(address);
            givenUpAddresses.remove(address);
            version++;
        }
    }

    /** A donor process has ended, or forgot the export; {@link #lose} names what it held. Its address is still asked. */
    public synchronized void remove(UUID incarnation) {
        String address = members.remove(incarnation);
        if (address != null) {
            version++;
            addAddress(address);
        }
    }

    /** An operator says that a donor process will not come back. Its address is not asked any more. */
    public synchronized void giveUp(UUID incarnation) {
        members.remove(incarnation);
        addLatest(givenUp, incarnation, Note.MAX_GIVEN_UP);
        version++;
    }

    /**
     * A donor process holds nothing of the export and will be given nothing: nobody has to hear it any more. It is one of those that are given up, so that
     * nobody uses it before every donor knows of it again. Its address is not asked either.
     */
    synchronized void retire(UUID incarnation) {
        if (members.remove(incarnation) != null) {
            addLatest(givenUp, incarnation, Note.MAX_GIVEN_UP);
            version++;
        }
    }

    /** Likewise of an address at which such a process has ended. */
    synchronized void retireAddress(String address) {
        if (ended.remove(address)) {
            version++;
        }
    }

    /** Whether every donor of the contents is known to have been told of this process. */
    synchronized boolean names(UUID incarnation) {
        return members.containsKey(incarnation);
    }

    /** Likewise of a donor at an address, whose process is not known: another server may have claimed it before this one began. */
    synchronized void giveUpAddress(String address) {
        addLatest(givenUpAddresses, address, Note.MAX_GIVEN_UP_ADDRESSES);
        version++;
    }

    /**
     * A donor that was this server's is none any more: it is empty, or what only it holds is given up. The process is not used again before its
     * lease has ended, and its address is not asked any more.
     *
     * @param incarnation the process; null if none is known
     * @param lostSlabs slabs of which pages may be lost by that
     * @param unknownToo whether another process may have been claimed at the address, so that this is given up as well
     */
    public synchronized void disown(@Nullable UUID incarnation, String address, BitSet lostSlabs, boolean unknownToo) {
        lost.or(lostSlabs);
        ended.remove(address);
        if (incarnation != null) {
            members.remove(incarnation);
            addLatest(givenUp, incarnation, Note.MAX_GIVEN_UP);
        }
        if (unknownToo) {
            addLatest(givenUpAddresses, address, Note.MAX_GIVEN_UP_ADDRESSES);
        }
        version++;
    }

    /** A donor that was disowned has given up the export as well: what it knew of it is gone. */
    public synchronized void forgive(UUID incarnation) {
        if (givenUp.remove(incarnation)) {
            version++;
        }
    }

    private static <T> void addLatest(Set<T> all, T one, int most) {
        all.remove(one);
        all.add(one);
        Iterator<T> oldest = all.iterator();
        while (all.size() > most) {
            oldest.next();
            oldest.remove();
        }
    }

    /** Whether an operator gave up whatever donor was at this address, and none was used there since. */
    public synchronized boolean isGivenUpAddress(String address) {
        return givenUpAddresses.contains(address);
    }

    /** Whether an operator gave this donor process up. */
    public synchronized boolean isGivenUp(UUID incarnation) {
        return givenUp.contains(incarnation);
    }

    /** Whether every donor of the contents is known to have been told of a donor at this address. */
    public synchronized boolean namesAddress(String address) {
        return members.containsValue(address) || ended.contains(address);
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
        ended.forEach(address -> all.add(new Note.Member(Note.Member.ENDED, address)));
        return new Note(
                version,
                size,
                slabShift,
                List.copyOf(all),
                Set.copyOf(givenUp),
                List.copyOf(givenUpAddresses),
                (BitSet) lost.clone(),
                allLost,
                copies,
                cipher,
                boot);
    }

    /** As bytes, for a claim or a NOTE; the first eight are the version. */
    public ByteBuffer encode() {
        return now().encode();
    }

    /** Grows with every change. */
    public synchronized long version() {
        return version;
    }
}
