package io.leapnbd.bypass.takeover;

import io.leapnbd.bypass.cipher.CipherKind;
import io.leapnbd.bypass.map.Placement;
import java.nio.BufferUnderflowException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.Collections;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import java.util.UUID;

/**
 * What a server leaves at every donor for a later one: how large the device is, which donors have to be heard, which were given up, and
 * which slabs were lost. Donors keep it as bytes and do not look inside. {@code docs/ownership.md}, "Nobody goes on without the others",
 * says what the members prove.
 *
 * <pre>
 *  version (8)  size (8)  slab shift (1)  all lost (1)  members (2)  given up (2)  addresses given up (1)  runs (4)
 *  members: incarnation (16)  address's length (1)  address
 *  given up: incarnation (16)
 *  addresses given up: length (1)  address
 *  runs of lost slabs: first (4)  count (4)
 *  copies (1), if there is one more byte
 *  cipher (1) and boot (16), if there are more bytes
 * </pre>
 *
 * @param version the higher one is the newer: term in the upper 32 bits, then a counter
 * @param size bytes of the device
 * @param slabShift binary logarithm of the slab size
 * @param members every donor process that may hold slabs, and every address at which one did: those have {@link Member#ENDED}
 * @param givenUp donor processes that an operator gave up with {@code --lose-missing}; the latest {@link #MAX_GIVEN_UP}
 * @param givenUpAddresses where they were: one whose identity is not known may come back there. The latest {@link
 *     #MAX_GIVEN_UP_ADDRESSES}
 * @param lost slabs of which pages were lost. It counts for those of which no donor holds a slab that was ever used
 * @param allLost whether every such slab is to be taken for lost; {@code lost} need not name them then
 * @param copies how many a slab had where there was room; 0 if that is not known. A default of the next server's is no less
 * @param cipher how pages are encrypted
 * @param boot of the machine in whose memory the state file is, if pages are encrypted: it goes with it; {@link #LASTING} if it does not
 */
public record Note(
        long version,
        long size,
        int slabShift,
        List<Member> members,
        Set<UUID> givenUp,
        List<String> givenUpAddresses,
        BitSet lost,
        boolean allLost,
        int copies,
        CipherKind cipher,
        UUID boot) {

    /** In place of a boot: the state file may outlive it. */
    public static final UUID LASTING = new UUID(0, 0);

    /** Most bytes of a note; one RDMA message holds it. */
    public static final int MAX_LENGTH = 32 << 10;

    /** Most members; their addresses are cut to what fits. */
    public static final int MAX_MEMBERS = 256;

    /** Most donor processes that are remembered as given up. */
    public static final int MAX_GIVEN_UP = 64;

    /** Most addresses that are remembered as given up. */
    public static final int MAX_GIVEN_UP_ADDRESSES = 16;

    private static final int FIXED = 8 + 8 + 1 + 1 + 2 + 2 + 1 + 4;
    private static final int MAX_ADDRESS = 100;

    /** What comes after the runs. */
    private static final int TAIL = 1 + 1 + 16;

    /** Of an export that nobody has. */
    public static final Note NONE = new Note(0, 0, 0, List.of(), Set.of(), new BitSet(), false);

    /**
     * A donor process.
     *
     * @param incarnation its identity
     * @param address where it was found
     */
    public record Member(UUID incarnation, String address) {

        /** In place of the identity: the process that was there has ended, and another one may be claimed there. */
        public static final UUID ENDED = new UUID(0, 0);
    }

    /** One that remembers no addresses as given up. */
    Note(
            long version,
            long size,
            int slabShift,
            List<Member> members,
            Set<UUID> givenUp,
            BitSet lost,
            boolean allLost) {
        this(version, size, slabShift, members, givenUp, List.of(), lost, allLost);
    }

    /** One of pages that are not encrypted. */
    Note(
            long version,
            long size,
            int slabShift,
            List<Member> members,
            Set<UUID> givenUp,
            List<String> givenUpAddresses,
            BitSet lost,
            boolean allLost,
            int copies) {
        this(
                version,
                size,
                slabShift,
                members,
                givenUp,
                givenUpAddresses,
                lost,
                allLost,
                copies,
                CipherKind.NONE,
                LASTING);
    }

    /** One that does not know how many copies there were. */
    Note(
            long version,
            long size,
            int slabShift,
            List<Member> members,
            Set<UUID> givenUp,
            List<String> givenUpAddresses,
            BitSet lost,
            boolean allLost) {
        this(version, size, slabShift, members, givenUp, givenUpAddresses, lost, allLost, 0);
    }

    /** As bytes, at most {@link #MAX_LENGTH}: where the runs do not fit, all that nobody holds is called lost. */
    public ByteBuffer encode() {
        ByteBuffer out = ByteBuffer.allocate(MAX_LENGTH);
        out.putLong(version).putLong(size).put((byte) slabShift);
        int allLostAt = out.position();
        out.put((byte) 0).putShort((short) members.size()).putShort((short) givenUp.size());
        out.put((byte) givenUpAddresses.size());
        int runsAt = out.position();
        out.putInt(0);
        for (Member member : members) {
            out.putLong(member.incarnation().getMostSignificantBits());
            out.putLong(member.incarnation().getLeastSignificantBits());
            put(member.address(), out);
        }
        for (UUID incarnation : givenUp) {
            out.putLong(incarnation.getMostSignificantBits());
            out.putLong(incarnation.getLeastSignificantBits());
        }
        givenUpAddresses.forEach(address -> put(address, out));
        boolean all = allLost;
        int runs = 0;
        int end = out.position();
        for (int first = lost.nextSetBit(0); first >= 0 && !all; ) {
            int after = lost.nextClearBit(first);
            if (out.remaining() < 2 * Integer.BYTES + TAIL) {
                all = true;
                runs = 0;
                out.position(end);
            } else {
                out.putInt(first).putInt(after - first);
                runs++;
                first = lost.nextSetBit(after);
            }
        }
        out.putInt(runsAt, runs).put(allLostAt, (byte) (all ? 1 : 0));
        if (copies != 0 || cipher != CipherKind.NONE) {
            out.put((byte) copies);
        }
        if (cipher != CipherKind.NONE) {
            out.put((byte) cipher.number());
            out.putLong(boot.getMostSignificantBits()).putLong(boot.getLeastSignificantBits());
        }
        return out.flip();
    }

    private static void put(String address, ByteBuffer out) {
        byte[] bytes = address.getBytes(StandardCharsets.UTF_8);
        int length = Math.min(bytes.length, MAX_ADDRESS);
        out.put((byte) length).put(bytes, 0, length);
    }

    private static String address(ByteBuffer in) {
        byte[] address = new byte[in.get() & 0xff];
        in.get(address);
        return new String(address, StandardCharsets.UTF_8);
    }

    /**
     * Reads one.
     *
     * @throws IllegalArgumentException if it is none: the server that left it was of another kind, or the donor lies
     */
    public static Note decode(ByteBuffer bytes) {
        ByteBuffer in = bytes.duplicate();
        if (in.remaining() == 0) {
            return NONE;
        }
        if (in.remaining() < FIXED || in.remaining() > MAX_LENGTH) {
            throw new IllegalArgumentException("a note of " + in.remaining() + " bytes");
        }
        try {
            long version = in.getLong();
            long size = in.getLong();
            int slabShift = in.get();
            boolean allLost = in.get() != 0;
            int count = in.getShort() & 0xffff;
            int given = in.getShort() & 0xffff;
            int addresses = in.get() & 0xff;
            int runs = in.getInt();
            if (count > MAX_MEMBERS
                    || given > MAX_GIVEN_UP
                    || addresses > MAX_GIVEN_UP_ADDRESSES
                    || runs < 0
                    || size < 0
                    || slabShift < 0
                    || slabShift > 30) {
                throw new IllegalArgumentException("a note that contradicts itself");
            }
            List<Member> members = new ArrayList<>(count);
            for (int i = 0; i < count; i++) {
                UUID incarnation = new UUID(in.getLong(), in.getLong());
                members.add(new Member(incarnation, address(in)));
            }
            Set<UUID> givenUp = new LinkedHashSet<>();
            for (int i = 0; i < given; i++) {
                givenUp.add(new UUID(in.getLong(), in.getLong()));
            }
            List<String> givenUpAddresses = new ArrayList<>();
            for (int i = 0; i < addresses; i++) {
                givenUpAddresses.add(address(in));
            }
            BitSet lost = new BitSet();
            long slabs = slabShift == 0 ? 0 : (size + (1L << slabShift) - 1) >>> slabShift;
            for (int i = 0; i < runs; i++) {
                int first = in.getInt();
                int length = in.getInt();
                if (first < 0 || length < 1 || (long) first + length > slabs) {
                    throw new IllegalArgumentException("a note of lost slabs beyond the device");
                }
                lost.set(first, first + length);
            }
            int copies = in.hasRemaining() ? Math.clamp(in.get(), 0, Placement.MAX_MEMBERS) : 0;
            CipherKind cipher = CipherKind.of(in.hasRemaining() ? in.get() : CipherKind.NONE.number());
            UUID boot = cipher.encrypts() ? new UUID(in.getLong(), in.getLong()) : LASTING;
            return new Note(
                    version,
                    size,
                    slabShift,
                    List.copyOf(members),
                    Collections.unmodifiableSet(givenUp),
                    List.copyOf(givenUpAddresses),
                    lost,
                    allLost,
                    copies,
                    cipher,
                    boot);
        } catch (BufferUnderflowException e) {
            throw new IllegalArgumentException("a note that is cut short", e);
        }
    }

    /** Term of the server that wrote it. */
    long term() {
        return version >>> Integer.SIZE;
    }

    boolean names(UUID incarnation) {
        return members.stream().anyMatch(member -> member.incarnation().equals(incarnation));
    }

    boolean namesAddress(String address) {
        return members.stream().anyMatch(member -> member.address().equals(address));
    }
}
