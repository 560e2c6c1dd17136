package io.leapnbd.prefetch;

import org.jspecify.annotations.Nullable;

/** A page that was proposed: fetched, or only thought of, to see what would have become of it. */
final class Proposal {

    /** What one takes, with its place in {@link Proposals}. */
    static final long BYTES = 64 + 12;

    private final int place;

    private long madeAt;
    private long nanos;
    private int circumstances;
    private @Nullable Stream stream;
    private int serial;
    private boolean fetched;
    private int born;

    /**
     * A place for one.
     *
     * @param place its number in the table
     */
    Proposal(int place) {
        this.place = place;
    }

    /**
     * Another page is proposed here.
     *
     * @param tick demands so far
     * @param now the time
     * @param under its {@link Circumstances}
     * @param by the stream that proposes it, if one does
     */
    void make(long tick, long now, int under, @Nullable Stream by) {
        madeAt = tick;
        nanos = now;
        circumstances = under;
        stream = by;
        serial = by == null ? 0 : by.serial();
        fetched = false;
    }

    /**
     * Its page is fetched.
     *
     * @param birth when, in fetches
     */
    void fetch(int birth) {
        fetched = true;
        born = birth;
    }

    int place() {
        return place;
    }

    /** Demands that there had been when it was made. */
    long madeAt() {
        return madeAt;
    }

    /** When it was made. */
    long nanos() {
        return nanos;
    }

    int circumstances() {
        return circumstances;
    }

    /** The stream that made it, unless none did or another has taken its place. */
    @Nullable
    Stream stream() {
        Stream by = stream;
        return by != null && by.serial() == serial ? by : null;
    }

    boolean isFetched() {
        return fetched;
    }

    /** When its page was fetched, if it was; in fetches. */
    int born() {
        return born;
    }
}
