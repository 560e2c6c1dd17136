package io.leapnbd.bypass.cache;

import java.util.concurrent.atomic.AtomicLongArray;
import org.jspecify.annotations.Nullable;

/**
 * Pages that a client has said it will read (NBD's request CACHE) and has not read yet. Nothing has to be guessed from such a read, and nothing
 * behind it: the client says what comes next. A table that forgets: a page takes another one's place now and then, and the policy learns from
 * that one's read. Any thread.
 */
final class AnnouncedPages {

    private static final int PLACES = 1 << 13;

    /** Made with the first announcement: most servers never hear one. */
    private volatile @Nullable AtomicLongArray table;

    AnnouncedPages() {}

    /** A client will read this page. */
    void add(long page) {
        AtomicLongArray pages = table;
        if (pages == null) {
            synchronized (this) {
                pages = table;
                if (pages == null) {
                    pages = new AtomicLongArray(PLACES);
                    table = pages;
                }
            }
        }
        pages.setRelease(place(page), page + 1);
    }

    /** A client reads this page; returns whether one has said so, and forgets it. */
    boolean take(long page) {
        AtomicLongArray pages = table;
        if (pages == null) {
            return false;
        }
        int place = place(page);
        return pages.getAcquire(place) == page + 1 && pages.compareAndSet(place, page + 1, 0);
    }

    private static int place(long page) {
        return (int) ((page * 0x9e3779b97f4a7c15L) >>> 32) & (PLACES - 1);
    }
}
