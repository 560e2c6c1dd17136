package io.leapnbd.prefetch.replay;

import java.io.BufferedInputStream;
import java.io.EOFException;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.DateTimeException;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.zip.GZIPInputStream;
import java.util.zip.ZipException;
import org.jspecify.annotations.Nullable;

/**
 * Reads traces. One request a line, {@code <microseconds since start> <R|W|T> <first 4 KiB page> <pages>}, apart by spaces
 * or tabs; a line that starts with {@code #}, or has nothing on it, says nothing. A gz file is known by its first bytes.
 *
 * <p>What cannot be right is refused with its line. A file that ends in the middle of a line or of its gz data was cut off, by a crash or a
 * full disk: it is read up to there, and {@link Trace#cutOff} says so. The last line counts only with its line feed, because one digit
 * fewer would go unseen. Times that run backwards are taken as they are: event loops record each for itself. A recording that
 * was gone on with has another {@code # started} line, and times from there on are later by what lies between the two.
 */
public final class TraceReader {

    private static final int MAX_LINE = 256;
    private static final int GZIP_MAGIC = 0x1f8b;
    private static final int BUFFER = 1 << 16;
    private static final long LATEST = Long.MAX_VALUE / 1000;
    private static final String STARTED = "# started ";

    private final InputStream in;
    private final byte[] buffer = new byte[BUFFER];
    private int at;
    private int end;

    private final byte[] line = new byte[MAX_LINE];
    private int length;
    private long number;
    private boolean cut;

    /** Of the first recording in the file, in microseconds since 1970; null until it is known. */
    private @Nullable Long firstStart;

    /** What times of this recording are later by. */
    private long later;

    private long last;

    private TraceReader(InputStream in) {
        this.in = in;
    }

    /**
     * Reads a file, gz or not.
     *
     * @throws TraceFormatException if it is no trace
     */
    public static Trace read(Path file) throws IOException {
        try (InputStream in = Files.newInputStream(file)) {
            return read(in);
        }
    }

    /** Reads a stream, gz or not, to its end. Does not close it. */
    public static Trace read(InputStream stream) throws IOException {
        BufferedInputStream buffered = new BufferedInputStream(stream, BUFFER);
        buffered.mark(2);
        boolean zipped = (buffered.read() << 8 | buffered.read()) == GZIP_MAGIC;
        buffered.reset();
        TraceReader reader = null;
        try {
            reader = new TraceReader(zipped ? new GZIPInputStream(buffered, BUFFER) : buffered);
            return reader.readAll();
        } catch (EOFException e) {
            // There is not even a header.
            throw new TraceFormatException(lineAfter(reader), "the gz data ends too early; the file is cut off");
        } catch (ZipException e) {
            throw new TraceFormatException(lineAfter(reader), "the gz data is damaged (" + e.getMessage() + ")");
        }
    }

    private static long lineAfter(@Nullable TraceReader reader) {
        return reader == null ? 1 : reader.number;
    }

    private Trace readAll() throws IOException {
        Trace trace = new Trace();
        try {
            while (nextLine()) {
                if (length > 0 && line[0] != '#') {
                    request(trace);
                } else if (length > 0) {
                    comment();
                }
            }
        } catch (EOFException e) {
            trace.cutOff("line " + number + ": the gz data ends too early");
        }
        if (cut) {
            trace.cutOff("line " + number + " does not end with a line feed");
        }
        String where = trace.cutOff();
        if (where != null && trace.size() == 0) {
            throw wrong("the file is cut off before its first request");
        }
        return trace;
    }

    /** A recording that begins, or is gone on with, says when. */
    private void comment() {
        String text = new String(line, 0, length, StandardCharsets.ISO_8859_1);
        if (!text.startsWith(STARTED)) {
            return;
        }
        try {
            long started = ChronoUnit.MICROS.between(Instant.EPOCH, Instant.parse(text.substring(STARTED.length())));
            if (firstStart == null) {
                firstStart = started;
            } else {
                later = Math.max(last, started - firstStart);
            }
        } catch (DateTimeException | ArithmeticException e) {
            // It is a comment of somebody else's.
            return;
        }
    }

    /** Puts the next line into {@link #line}, without its line feed and the blanks around it. */
    private boolean nextLine() throws IOException {
        length = 0;
        number++;
        boolean comment = false;
        while (true) {
            if (at == end) {
                at = 0;
                end = Math.max(0, in.read(buffer, 0, BUFFER));
                if (end == 0) {
                    cut = length > 0 && !comment;
                    return false;
                }
            }
            byte b = buffer[at++];
            if (b == '\n') {
                while (length > 0 && isBlank(line[length - 1])) {
                    length--;
                }
                return true;
            }
            if (length == 0 && isBlank(b)) {
                continue;
            }
            comment |= length == 0 && b == '#';
            if (length == MAX_LINE) {
                if (!comment) {
                    throw wrong("the line is longer than " + MAX_LINE + " bytes; this is no trace");
                }
            } else {
                line[length++] = b;
            }
        }
    }

    private void request(Trace trace) throws TraceFormatException {
        int fields = 0;
        int[] starts = new int[5];
        int[] ends = new int[5];
        int i = 0;
        while (i < length && fields < 5) {
            starts[fields] = i;
            while (i < length && !isBlank(line[i])) {
                i++;
            }
            ends[fields++] = i;
            while (i < length && isBlank(line[i])) {
                i++;
            }
        }
        if (fields != 4) {
            throw wrong("'" + text(0, length) + "' has " + (fields > 4 ? "more than 4" : fields)
                    + " fields; a request has 4: microseconds, R, W or T, first page, pages");
        }
        long micros = number(starts[0], ends[0], "a time in microseconds", LATEST);
        Trace.Operation operation = operation(starts[1], ends[1]);
        long page = number(starts[2], ends[2], "a first page", Trace.PAGE_LIMIT - 1);
        long count = number(starts[3], ends[3], "a number of pages", Trace.MAX_REQUEST_PAGES);
        if (count == 0) {
            throw wrong("a request has at least one page");
        }
        if (page + count > Trace.PAGE_LIMIT) {
            throw wrong("the request goes past page 2^40");
        }
        last = Math.min(micros, LATEST - later) + later;
        trace.add(last, operation, page, (int) count);
    }

    private Trace.Operation operation(int from, int to) throws TraceFormatException {
        if (to - from == 1) {
            for (Trace.Operation operation : Trace.Operation.values()) {
                if (operation.letter() == line[from]) {
                    return operation;
                }
            }
        }
        throw wrong("'" + text(from, to) + "' is none of R, W and T");
    }

    private long number(int from, int to, String what, long most) throws TraceFormatException {
        long value = 0;
        for (int i = from; i < to; i++) {
            int digit = line[i] - '0';
            if (digit < 0 || digit > 9) {
                throw wrong("'" + text(from, to) + "' is not " + what);
            }
            if (value > (most - digit) / 10) {
                throw wrong("'" + text(from, to) + "' is too large for " + what + "; the most is " + most);
            }
            value = value * 10 + digit;
        }
        return value;
    }

    /** Part of the line, fit to be shown. */
    private String text(int from, int to) {
        String text = new String(line, from, to - from, StandardCharsets.ISO_8859_1).replaceAll("[^ -~]", "?");
        return text.length() > 60 ? text.substring(0, 57) + "..." : text;
    }

    private TraceFormatException wrong(String what) {
        return new TraceFormatException(number, what);
    }

    private static boolean isBlank(byte b) {
        return b == ' ' || b == '\t' || b == '\r';
    }
}
