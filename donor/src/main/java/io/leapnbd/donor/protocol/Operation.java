package io.leapnbd.donor.protocol;

/** What a request asks for: the first byte of its header. */
public final class Operation {

    /** Opens the link; body {@link Hello}, reply body {@link HelloReply}. */
    public static final byte HELLO = 1;

    /** Answers at once; keeps the lease and shows that the donor is alive. */
    public static final byte PING = 2;

    /**
     * Asks for a slab: header field {@code slab} is the slab's index in the device; {@code version} that of the grant.
     * Reply body: the handle, a u32. Granting an index that the export already holds here answers the same handle.
     */
    public static final byte GRANT = 3;

    /** Hands the slab with the handle {@code slab} back; its bytes are gone. */
    public static final byte FREE = 4;

    /** Lists the export's slabs with an index at or above header field {@code slab}; reply body {@link SlabList}. */
    public static final byte LIST = 5;

    /**
     * Over RDMA only: asks for the memory of the slab {@code slab}, to read it without asking again; reply body {@link
     * SlabKey}.
     */
    public static final byte EXPOSE = 6;

    /** Reads {@code length} bytes at {@code offset} of the slab {@code slab}; they are the reply's payload. */
    public static final byte READ = 16;

    /** Writes the payload, {@code length} bytes, at {@code offset} of the slab {@code slab}. */
    public static final byte WRITE = 17;

    /** Makes {@code length} bytes at {@code offset} of the slab {@code slab} read as zeros. */
    public static final byte TRIM = 18;

    private Operation() {}
}
