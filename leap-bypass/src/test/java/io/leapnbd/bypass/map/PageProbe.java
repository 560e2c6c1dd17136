package io.leapnbd.bypass.map;

/** Single pages of a state file, for tests of other packages. */
public final class PageProbe {

    private PageProbe() {}

    /** Whether a page is lost. */
    public static boolean lost(StateFile file, long page) {
        return file.lost().get(page);
    }

    /** Whether a page is written. */
    public static boolean written(StateFile file, long page) {
        return file.written().get(page);
    }

    /** Takes note of a write, or that a page is blank. */
    public static void mark(StateFile file, long page, boolean written) {
        if (written) {
            file.written().set(page, page + 1);
        } else {
            file.written().clear(page, page + 1);
            file.lost().clear(page, page + 1);
        }
    }

    /** Takes note that a write is done. */
    public static void heal(StateFile file, long page) {
        file.lost().clear(page, page + 1);
    }
}
