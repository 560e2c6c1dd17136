package io.leapnbd.bypass.link;

/**
 * What a link that reads past the donor's processors has to know of the device's writes: such a read may find a page half
 * written, and nothing at the donor would tell. As nobody but this server changes the pages, it is enough that it reads none
 * which it is changing. Any thread.
 */
public interface WriteWatch {

    /** A write to the range is under way, or may be. */
    long BUSY = Long.MIN_VALUE;

    /**
     * Taken before a read.
     *
     * @return what {@link #undisturbed} wants afterwards, or {@link #BUSY}
     */
    long stamp(long offset, int length);

    /** Whether no write to the range has begun since the stamp was taken. */
    boolean undisturbed(long offset, int length, long stamp);
}
