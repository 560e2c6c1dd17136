package io.leapnbd.donor.protocol;

/** What a request asks for: the first byte of its header. */
public final class Operation {

    /**
     * No request: the operation of a last word, which the donor says before it closes a link for another reason than a reply. It has the
     * shape of a reply's header; its status says why.
     */
    public static final byte LAST_WORD = 0;

    /** Opens the link, or makes more of one that only observes; body {@link Hello}, reply body {@link HelloReply}. */
    public static final byte HELLO = 1;

    /** Answers at once; keeps the lease, and shows that the donor is alive and that the link is not fenced off. */
    public static final byte PING = 2;

    /**
     * Asks for a slab: header field {@code slab} is the slab's index in the device; {@code version} that of the grant ({@link
     * Version#ofGrant}). The payload, if there is one, has a bit for each page of the slab that is lost. The flag
     * {@link RequestHeader#FILLING} says that the slab does not have every acknowledged write until it is placed as live. Reply body: the
     * handle, a u32. An index that is held here by the grant {@code version} is answered with the same handle; a version above the held slab's
     * generation takes it back and grants a blank one; any other is {@link Status#STALE}.
     */
    public static final byte GRANT = 3;

    /**
     * Hands the slab with the handle {@code slab} back; its bytes are gone. {@code version} is the slab's generation as the server knows it.
     * If it has a higher one, it stays: {@link Status#STALE}.
     */
    public static final byte FREE = 4;

    /** Lists the export's slabs with an index at or above header field {@code slab}; reply body {@link SlabList}. */
    public static final byte LIST = 5;

    /**
     * Over RDMA only: asks for the memory of the slab {@code slab}, to read it without asking again; reply body {@link
     * SlabKey}.
     */
    public static final byte EXPOSE = 6;

    /**
     * Tells which pages of a range of the slab {@code slab} are written and which are lost; {@code offset} and {@code length} are
     * multiples of {@link PageMarks#GRANULE}. Reply body {@link PageMarks}.
     */
    public static final byte PAGES = 7;

    /** Replaces the note that the claim came with by the payload, unless {@code version} is below that of the note that is there. */
    public static final byte NOTE = 8;

    /**
     * Tells the donor of the slab {@code slab} which copies there are; body {@link SlabCopies}, with names. {@code version} is the
     * generation, which the slab has from then on. A lower one than the slab's is {@link Status#STALE}.
     */
    public static final byte PLACE = 9;

    /**
     * Gives the export up at this donor: when the claim's last link has ended, the lease ends at once, and all slabs are taken back. The
     * epoch stays. A newer claim makes it void.
     */
    public static final byte RELEASE = 10;

    /**
     * No request: over RDMA in a pool, what the donor says when it knows the server, and before that may ask. It has the shape of a reply's
     * header, with {@link Status#OK}.
     */
    public static final byte READY = 11;

    /**
     * Before the hello, inside of TLS over TCP: the rest of the link goes in clear with tags. Body and reply body are what each end has drawn for the
     * keys ({@code docs/link-auth.md}).
     */
    public static final byte KEYS = 12;

    /** Reads {@code length} bytes at {@code offset} of the slab {@code slab}; they are the reply's payload. */
    public static final byte READ = 16;

    /** Writes the payload, {@code length} bytes, at {@code offset} of the slab {@code slab}. */
    public static final byte WRITE = 17;

    /** Makes {@code length} bytes at {@code offset} of the slab {@code slab} read as zeros. */
    public static final byte TRIM = 18;

    /**
     * Calls the pages of {@code length} bytes at {@code offset} of the slab {@code slab} lost; both are multiples of a page. Whatever is there is
     * not read any more, until the whole page is written or trimmed with a higher version.
     */
    public static final byte LOSE = 19;

    private Operation() {}
}
