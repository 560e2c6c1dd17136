package io.leapnbd.donor.protocol;

/** Numbers that both ends of a link have to agree on. */
public final class Protocol {

    /** First eight bytes of a hello's body: {@code LEAPDNR} and a zero byte. */
    public static final long MAGIC = 0x4C45_4150_444E_5200L;

    /** The only version that is spoken. */
    public static final int VERSION = 5;

    /** TCP port that a donor listens on unless told otherwise. */
    public static final int DEFAULT_PORT = 9400;

    /** Unit of versions, bitmaps and caching, in bytes. */
    public static final int PAGE_SIZE = 4096;

    /** Binary logarithm of {@link #PAGE_SIZE}. */
    public static final int PAGE_SHIFT = 12;

    /** Largest payload of a frame in either direction, in bytes: what one demand read may have to wait behind. */
    public static final int MAX_PAYLOAD = 1 << 20;

    /** Likewise over RDMA, where a frame is one message and has to fit a buffer that waits for it. */
    public static final int MAX_RDMA_PAYLOAD = 64 << 10;

    /** Messages that either side of an RDMA link keeps buffers for: no more requests may be in flight, RDMA reads aside. */
    public static final int RDMA_MESSAGES = 16;

    /** Slab sizes, in bytes: powers of two in this range. */
    public static final int MIN_SLAB_SIZE = 1 << 20;

    /** Largest slab, in bytes. */
    public static final int MAX_SLAB_SIZE = 1 << 30;

    /** Slab size of a donor that was told none, in bytes. */
    public static final int DEFAULT_SLAB_SIZE = 64 << 20;

    /** Longest export name, in bytes of UTF-8. */
    public static final int MAX_EXPORT_NAME = 255;

    /** Longest text that says to people who owns an export, in bytes of UTF-8. */
    public static final int MAX_OWNER = 255;

    /** Longest note that a donor keeps with a claim for the next server, in bytes. */
    public static final int MAX_NOTE = 32 << 10;

    private Protocol() {}
}
