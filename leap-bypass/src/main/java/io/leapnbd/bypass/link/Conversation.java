package io.leapnbd.bypass.link;

import io.leapnbd.donor.protocol.Hello;
import io.leapnbd.donor.protocol.PageMarks;
import io.leapnbd.donor.protocol.SlabCopies;
import java.io.IOException;
import java.nio.ByteBuffer;

/**
 * Control requests to one donor, one at a time, waiting for each answer. A server uses it while it takes an export, before it opens its
 * links. Every answer has a deadline as a whole, so that a donor that trickles holds up nobody. For one thread at a time.
 *
 * <p>Every method throws {@link IOException} if the connection breaks, no answer comes in time, or the answer does not follow the protocol.
 * The message is fit for an operator, and does not name the donor.
 */
public interface Conversation extends AutoCloseable {

    /** Says hello; again and again until one is accepted that claims or joins. */
    Greeted hello(Hello hello) throws IOException;

    /** Tells every slab that the donor holds for the export, by growing index. After a claim. */
    void list(SlabSink sink) throws IOException;

    /**
     * Asks which pages of a slab are written, and which are lost.
     *
     * @param offset first byte, a multiple of {@link PageMarks#GRANULE}
     * @param length bytes, a multiple of it, at most {@link PageMarks#MAX_RANGE}
     */
    PageMarks pages(int handle, int offset, int length) throws IOException;

    /**
     * Tells the donor of a slab which copies there are, and whether its own is live.
     *
     * @param generation of the placement, from the counter of the grants
     * @param copies with a name at least
     * @return one of {@link io.leapnbd.donor.protocol.Status}: {@code STALE} if the slab has a higher generation
     */
    byte place(int handle, long generation, SlabCopies copies) throws IOException;

    /**
     * Gives a slab back.
     *
     * @param generation of the slab, as it is known here
     * @return one of {@link io.leapnbd.donor.protocol.Status}: {@code STALE} if it has a higher one, and stays
     */
    byte free(int handle, long generation) throws IOException;

    /** Leaves a note in the place of the one of the claim. */
    void note(ByteBuffer note, long version) throws IOException;

    /** Ends it; the export keeps its lease. */
    @Override
    void close();
}
