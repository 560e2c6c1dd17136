package io.leapnbd.tools.record;

import io.leapnbd.bypass.cache.AccessQueue;
import io.leapnbd.bypass.cache.AccessQueue.Access;
import io.leapnbd.nbd.spi.BlockDevice;
import io.leapnbd.tools.cli.Json;
import io.leapnbd.tools.cli.OneLineErrors;
import io.leapnbd.tools.linux.PlainFile;
import io.leapnbd.tools.linux.Rotation;
import java.io.IOException;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.List;
import java.util.Locale;
import java.util.Objects;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Records what clients read, write and trim, over whichever connection and loop, in one file: a line a request,
 * {@code <microseconds since start> <R|W|T> <first 4 KiB page> <pages>}. Zeroes count as a trim; pages that a request touches in
 * part count whole.
 *
 * <p>Event loops put requests into a bounded queue; a thread of its own takes them out and writes. What does not fit is counted,
 * in the file too, and never waited for. A server that is killed loses what is {@value #BLOCK_SECONDS} s old or younger, and the next one goes on
 * with the file. A file that has grown to its limit is moved aside ({@link Rotation}), and so may somebody else do who says so
 * with {@link #reopen}.
 */
public final class Recording implements AutoCloseable {

    private static final Logger log = LoggerFactory.getLogger(Recording.class);

    /** Requests; a quarter of a second of more than any machine does. */
    private static final int QUEUE = 1 << 15;

    private static final int POLL_MILLIS = 20;
    private static final int BLOCK_SECONDS = 1;

    private final Path path;
    private final List<String> about;
    private final long limit;
    private final AccessQueue queue = new AccessQueue(QUEUE);
    private final CountDownLatch ending = new CountDownLatch(1);
    private final Thread thread;

    private volatile long recorded;
    private volatile boolean reopening;
    private volatile @Nullable String failure;

    // The thread's.
    private final Access access = new Access();
    private long taken;
    private long lastMicros;
    private long droppedBefore;
    private long startNanos;
    private long writtenNanos;
    private TraceFile file;
    private @Nullable Object fileKey;

    private Recording(Path path, List<String> about, long limit, TraceFile file) throws IOException {
        this.path = path;
        this.about = about;
        this.limit = limit;
        this.file = file;
        begin();
        thread = Thread.ofPlatform().name("recording").daemon().unstarted(this::run);
    }

    /**
     * Creates the file, or goes on with a recording that is there, and starts.
     *
     * @param about what is recorded, a line each, as comments
     * @param limit bytes of a file; then another one is begun
     * @throws IOException if the file cannot be written, or is something else; the message is one sentence for the operator
     */
    public static Recording open(Path path, List<String> about, long limit) throws IOException {
        try {
            Recording recording = new Recording(path, List.copyOf(about), limit, new TraceFile(path));
            recording.thread.start();
            return recording;
        } catch (FileAlreadyExistsException e) {
            throw new IOException(
                    "--record " + path
                            + ": there is such a file, and it is none that a recording goes on with; a recording"
                            + " never replaces a file, so name another, or remove it",
                    e);
        } catch (IOException e) {
            throw new IOException(
                    "--record " + path + " cannot be written (" + OneLineErrors.describe(e)
                            + "); name a file in a folder that exists and that you may write to",
                    e);
        }
    }

    /** The head of a file, or of what is added to one. Times begin anew, and the line says when. */
    private void begin() throws IOException {
        fileKey = PlainFile.key(path);
        startNanos = System.nanoTime();
        writtenNanos = startNanos;
        lastMicros = 0;
        file.line(TraceFile.TITLE + ": microseconds since the start, R(ead) W(rite) or T(rim), first page, pages");
        about.forEach(line -> file.line("# " + line));
        file.line("# started " + Instant.now().truncatedTo(ChronoUnit.MICROS));
        file.write();
    }

    /** Soon opens the file anew if somebody has moved it. Any thread. */
    public void reopen() {
        reopening = true;
    }

    /** A device that does what another does, and has it recorded. */
    public BlockDevice of(BlockDevice device) {
        return new RecordedDevice(device, queue);
    }

    /** Requests in the file, or about to be. */
    public long recorded() {
        return recorded;
    }

    /** Requests that are not. */
    public long dropped() {
        return queue.dropped();
    }

    /** What is wrong with the recording, in one sentence; null if nothing is. */
    public @Nullable String complaint() {
        String failed = failure;
        if (failed != null) {
            return "the recording " + path + " has ended early: " + failed;
        }
        long missing = dropped();
        return missing == 0 ? null : missing + " requests came too fast to be recorded in " + path;
    }

    /** Puts the figures into an open JSON object. */
    public void putInto(Json json) {
        json.object("recording")
                .put("file", path.toString())
                .put("requests", recorded)
                .put("dropped", dropped())
                .endObject();
    }

    /** One line for people. */
    public String text() {
        return String.format(Locale.ROOT, "recording %,d requests in %s%n", recorded, path);
    }

    private void run() {
        try {
            while (!ending.await(POLL_MILLIS, TimeUnit.MILLISECONDS)) {
                drain();
                if (reopening) {
                    reopening = false;
                    openAnew(false);
                }
                long now = System.nanoTime();
                if (now - writtenNanos >= TimeUnit.SECONDS.toNanos(BLOCK_SECONDS)) {
                    writtenNanos = now;
                    file.write();
                    if (file.size() >= limit) {
                        openAnew(true);
                    }
                }
            }
            drain();
            file.write();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        } catch (IOException e) {
            failure = String.valueOf(e.getMessage());
            log.error("the recording {} has ended early: {}", path, failure);
        }
    }

    /** Goes on in another file: one of the same name, where that one has been moved or is moved now. */
    private void openAnew(boolean full) throws IOException {
        file.write();
        if (full) {
            Rotation.shift(path);
        } else if (Objects.equals(PlainFile.key(path), fileKey)) {
            return;
        }
        file.close();
        file = new TraceFile(path);
        begin();
    }

    private void drain() throws IOException {
        long dropped = queue.dropped();
        if (dropped > droppedBefore) {
            file.line("# " + (dropped - droppedBefore) + " requests came too fast to be recorded, about here");
            droppedBefore = dropped;
        }
        while (queue.poll(access)) {
            // Loops read the clock before they queue up, so it may seem to run backwards by what that takes.
            lastMicros = Math.max(lastMicros, Math.max(0, access.nanos() - startNanos) / 1_000);
            file.request(lastMicros, letter(access.kind()), access.page(), access.pages());
            taken++;
            if (file.full()) {
                writtenNanos = System.nanoTime();
                file.write();
                if (file.size() >= limit) {
                    openAnew(true);
                }
            }
        }
        recorded = taken;
    }

    private static char letter(int kind) {
        return switch (kind) {
            case AccessQueue.READ -> 'R';
            case AccessQueue.WRITE -> 'W';
            default -> 'T';
        };
    }

    /** Writes what is left, and ends. Nobody may use the devices any more. May be called again. */
    @Override
    public void close() throws IOException {
        end(false);
        String complaint = complaint();
        log.info("recorded {} requests in {}{}", recorded, path, complaint == null ? "" : "; " + complaint);
    }

    /** Ends without a trace of it: the server never served. */
    public void discard() throws IOException {
        end(true);
    }

    private void end(boolean discard) throws IOException {
        ending.countDown();
        try {
            thread.join();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
        if (!discard) {
            file.close();
        } else {
            boolean fresh = !file.goesOn();
            file.discard();
            if (fresh) {
                Files.deleteIfExists(path);
            }
        }
    }
}
