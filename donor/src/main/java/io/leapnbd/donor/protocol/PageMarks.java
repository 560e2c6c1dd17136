package io.leapnbd.donor.protocol;

import io.netty.buffer.ByteBuf;

/**
 * The body of the reply to {@link Operation#PAGES}: for each page of a range whether it is written, and whether it is lost. A page
 * that is neither is blank. On the wire there are first all the marks of written pages, then all those of lost ones: page n of the
 * range is bit n mod 8, lowest first, of byte n / 8.
 */
public final class PageMarks {

    /** Ranges are multiples of this, in bytes: 64 pages, so that their marks are whole words. */
    public static final int GRANULE = Long.SIZE * Protocol.PAGE_SIZE;

    /** Longest range that one request may ask for, in bytes. */
    public static final int MAX_RANGE = 128 << 20;

    private final long[] written;
    private final long[] lost;

    /**
     * Marks of blank pages.
     *
     * @param range bytes of the range, a multiple of {@link #GRANULE}
     */
    public PageMarks(int range) {
        if (range < 0 || range % GRANULE != 0) {
            throw new IllegalArgumentException("a range of " + range + " bytes is not a multiple of " + GRANULE);
        }
        written = new long[range / GRANULE];
        lost = new long[range / GRANULE];
    }

    /** Whether a request may ask for this range: multiples of the granule, not too long. The slab's end is another matter. */
    public static boolean isRange(int offset, int length) {
        return offset % GRANULE == 0 && length % GRANULE == 0 && length <= MAX_RANGE;
    }

    /** Bytes of the body for a range of so many bytes. */
    public static int encodedLength(int range) {
        return 2 * (range / GRANULE) * Long.BYTES;
    }

    /** Pages of the range. */
    public int pages() {
        return written.length * Long.SIZE;
    }

    /** Words of 64 pages each. */
    public int words() {
        return written.length;
    }

    /** Whether a page was written, and not trimmed as a whole since; {@code page} from the range's beginning. */
    public boolean written(int page) {
        return (written[page / Long.SIZE] >>> page & 1) != 0;
    }

    /** Whether a page is lost. */
    public boolean lost(int page) {
        return (lost[page / Long.SIZE] >>> page & 1) != 0;
    }

    /** The marks of 64 pages, the first in the lowest bit. */
    public long writtenWord(int word) {
        return written[word];
    }

    /** As {@link #writtenWord}, for lost pages. */
    public long lostWord(int word) {
        return lost[word];
    }

    /** Says which of 64 pages are written, and which are lost. */
    public void set(int word, long writtenBits, long lostBits) {
        written[word] = writtenBits;
        lost[word] = lostBits;
    }

    /** Appends the body. */
    public void encode(ByteBuf out) {
        for (long word : written) {
            out.writeLongLE(word);
        }
        for (long word : lost) {
            out.writeLongLE(word);
        }
    }

    /**
     * Reads a body that fills the rest of {@code in}.
     *
     * @param range bytes of the range that was asked for
     * @throws ProtocolException if it is not one, or says of a page that it is written and lost
     */
    public static PageMarks decode(ByteBuf in, int range) throws ProtocolException {
        if (in.readableBytes() != encodedLength(range)) {
            throw new ProtocolException("marks of " + in.readableBytes() + " bytes, not " + encodedLength(range));
        }
        PageMarks marks = new PageMarks(range);
        for (int i = 0; i < marks.written.length; i++) {
            marks.written[i] = in.readLongLE();
        }
        for (int i = 0; i < marks.lost.length; i++) {
            marks.lost[i] = in.readLongLE();
            if ((marks.lost[i] & marks.written[i]) != 0) {
                throw new ProtocolException("marks of a page that is written and lost");
            }
        }
        return marks;
    }
}
