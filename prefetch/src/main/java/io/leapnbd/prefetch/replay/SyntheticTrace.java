package io.leapnbd.prefetch.replay;

import java.util.SplittableRandom;

/**
 * Traces with a known pattern, to measure policies by. They read single pages and write nothing.
 *
 * <ul>
 *   <li>{@code sequential}, {@code reverse}, {@code stride:K}: pages K apart, from a random page on, around the end of the
 *       device to its beginning.
 *   <li>{@code interleaved:N}: N streams, each in its own part of the device with its own stride (1, −2, 3, −4, …); each
 *       request is of a stream drawn at random.
 *   <li>{@code noisy:P}: sequential, but P percent of the requests are to random pages, in between.
 *   <li>{@code loop}: all pages of the device in an order shuffled once, again and again.
 *   <li>{@code random}: pages drawn uniformly.
 * </ul>
 *
 * @param kind the pattern's name
 * @param argument its K, N or P; 0 if it has none
 */
public record SyntheticTrace(Kind kind, int argument) {

    /** The patterns. */
    public enum Kind {
        /** Every page, upwards. */
        SEQUENTIAL("sequential", "", 0, 0),
        /** Every page, downwards. */
        REVERSE("reverse", "", 0, 0),
        /** Every K-th page. */
        STRIDE("stride", "K", -1_000_000, 1_000_000),
        /** N streams of differing strides. */
        INTERLEAVED("interleaved", "N", 1, 1024),
        /** Sequential, P percent of it random. */
        NOISY("noisy", "P", 0, 100),
        /** An irregular order that repeats. */
        LOOP("loop", "", 0, 0),
        /** No pattern. */
        RANDOM("random", "", 0, 0);

        private final String label;
        private final String parameter;
        private final int least;
        private final int most;

        Kind(String label, String parameter, int least, int most) {
            this.label = label;
            this.parameter = parameter;
            this.least = least;
            this.most = most;
        }

        private String form() {
            return parameter.isEmpty() ? label : label + ":" + parameter;
        }
    }

    /** The names, as {@link #parse} wants them. */
    public static String forms() {
        StringBuilder forms = new StringBuilder();
        for (Kind kind : Kind.values()) {
            forms.append(forms.isEmpty() ? "" : ", ").append(kind.form());
        }
        return forms.toString();
    }

    /**
     * Reads a pattern's name: {@code loop}, {@code stride:-7}.
     *
     * @throws IllegalArgumentException if it is none; the message says which there are
     */
    public static SyntheticTrace parse(String text) {
        int colon = text.indexOf(':');
        String label = colon < 0 ? text : text.substring(0, colon);
        for (Kind kind : Kind.values()) {
            if (kind.label.equals(label)) {
                return new SyntheticTrace(kind, argument(kind, text, colon < 0 ? "" : text.substring(colon + 1)));
            }
        }
        throw new IllegalArgumentException("there is no kind of trace \"" + text + "\"; there are " + forms());
    }

    private static int argument(Kind kind, String text, String argument) {
        if (kind.parameter.isEmpty()) {
            if (!argument.isEmpty() || text.endsWith(":")) {
                throw new IllegalArgumentException(kind.label + " takes no number; write it like " + kind.form());
            }
            return 0;
        }
        try {
            int value = Integer.parseInt(argument);
            if (value >= kind.least && value <= kind.most && !(kind == Kind.STRIDE && value == 0)) {
                return value;
            }
        } catch (NumberFormatException e) {
            // Said below, as for a number that is out of range.
        }
        throw new IllegalArgumentException("\"" + text + "\" is not of the form " + kind.form() + " with "
                + kind.parameter + " from " + kind.least + " to " + kind.most + (kind == Kind.STRIDE ? ", not 0" : ""));
    }

    /** As {@link #parse} reads it. */
    @Override
    public String toString() {
        return kind.parameter.isEmpty() ? kind.label : kind.label + ":" + argument;
    }

    /**
     * Makes the trace.
     *
     * @param pages the device's size; at least as many as there are streams
     * @param requests how many
     * @param thinkNanos the mean time between two requests; they are uniformly from 2/3 to 4/3 of it apart
     * @param seed the same seed gives the same trace
     */
    public Trace generate(long pages, int requests, long thinkNanos, long seed) {
        if (pages < 1 || pages > Trace.PAGE_LIMIT || (kind == Kind.LOOP && pages > Integer.MAX_VALUE / 2)) {
            throw new IllegalArgumentException(pages + " pages are out of range for " + this);
        }
        if (kind == Kind.INTERLEAVED && pages < argument) {
            throw new IllegalArgumentException(argument + " streams need at least as many pages, not " + pages);
        }
        SplittableRandom random = new SplittableRandom(seed);
        Pattern pattern = pattern(pages, random);
        Trace trace = new Trace();
        long nanos = 0;
        for (int i = 0; i < requests; i++) {
            trace.add(nanos / 1000, Trace.Operation.READ, pattern.next(), 1);
            nanos += (2 * thinkNanos + random.nextLong(2 * thinkNanos + 1)) / 3;
        }
        return trace;
    }

    private interface Pattern {
        long next();
    }

    private Pattern pattern(long pages, SplittableRandom random) {
        return switch (kind) {
            case SEQUENTIAL -> new Stream(0, pages, 1, random);
            case REVERSE -> new Stream(0, pages, -1, random);
            case STRIDE -> new Stream(0, pages, argument, random);
            case INTERLEAVED -> interleaved(pages, random);
            case NOISY -> {
                Stream stream = new Stream(0, pages, 1, random);
                yield () -> random.nextInt(100) < argument ? random.nextLong(pages) : stream.next();
            }
            case LOOP -> loop((int) pages, random);
            case RANDOM -> () -> random.nextLong(pages);
        };
    }

    private Pattern interleaved(long pages, SplittableRandom random) {
        Stream[] streams = new Stream[argument];
        long part = pages / argument;
        for (int i = 0; i < argument; i++) {
            streams[i] = new Stream(i * part, part, (i & 1) == 0 ? i + 1 : -(i + 1), random);
        }
        return () -> streams[random.nextInt(streams.length)].next();
    }

    private static Pattern loop(int pages, SplittableRandom random) {
        int[] order = new int[pages];
        for (int i = 0; i < pages; i++) {
            int j = random.nextInt(i + 1);
            order[i] = order[j];
            order[j] = i;
        }
        int[] next = {0};
        return () -> {
            int at = next[0];
            next[0] = at + 1 == pages ? 0 : at + 1;
            return order[at];
        };
    }

    private static final class Stream implements Pattern {
        private final long start;
        private final long length;
        private final long stride;
        private long at;

        Stream(long start, long length, long stride, SplittableRandom random) {
            this.start = start;
            this.length = length;
            this.stride = stride;
            at = random.nextLong(length);
        }

        @Override
        public long next() {
            long page = start + at;
            at = Math.floorMod(at + stride, length);
            return page;
        }
    }
}
