package io.leapnbd.tools.status;

import io.leapnbd.tools.cli.Terminal;
import java.io.File;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jline.utils.Signals;
import org.jspecify.annotations.Nullable;

/**
 * Where pictures are shown one after the other. On a terminal each takes the place of the one before, is cut to the window, follows its size, and a
 * press of {@code q} is noticed. Elsewhere, and on a terminal that is called dumb, they are printed with an empty line between. For one thread; the
 * window's size is told by another.
 */
final class Screen implements AutoCloseable {

    private static final String ENTER = "\033[?1049h\033[?25l";
    private static final String LEAVE = "\033[?25h\033[?1049l";
    private static final String HOME = "\033[H";
    private static final String END_OF_LINE = "\033[K";
    private static final String REST = "\033[J";
    private static final Pattern SIZE = Pattern.compile("(\\d+) (\\d+)");
    private static final long LOOK_MILLIS = 50;

    private final PrintWriter out;
    private final Paint paint;
    private final boolean terminal;
    private final @Nullable String mode;
    private final Thread restore = new Thread(this::leave, "screen");
    private volatile boolean resized;
    private int lines = Integer.MAX_VALUE;
    private int columns = Integer.MAX_VALUE;
    private boolean left;

    private Screen(PrintWriter out, Paint paint, boolean terminal) {
        this.out = out;
        this.paint = paint;
        this.terminal = terminal;
        mode = terminal ? stty("-g") : null;
        if (terminal) {
            Runtime.getRuntime().addShutdownHook(restore);
            Signals.register("WINCH", () -> resized = true);
            // Each key at once, and none of them shown; Ctrl-C stays what it is.
            stty("-icanon", "-echo", "min", "0", "time", "0");
            out.print(ENTER);
            measure();
        }
    }

    /** The screen that there is. */
    static Screen open(PrintWriter out) {
        boolean terminal = Terminal.isHere() && !"dumb".equals(System.getenv("TERM"));
        String noColour = System.getenv("NO_COLOR");
        return new Screen(out, new Paint(terminal && (noColour == null || noColour.isEmpty())), terminal);
    }

    /** Shows a picture, lines that end with line feeds. */
    void show(String picture) {
        if (!terminal) {
            out.print(picture + "\n");
            out.flush();
            return;
        }
        out.print(frame(picture, lines, columns, paint));
        out.flush();
    }

    /** What brings a picture to a terminal of that size. The last line of the terminal stays empty. */
    static String frame(String picture, int lines, int columns, Paint paint) {
        StringBuilder frame = new StringBuilder(HOME);
        List<String> all = picture.lines().toList();
        int room = Math.max(1, lines - 1);
        for (int i = 0; i < Math.min(all.size(), room); i++) {
            boolean cut = i == room - 1 && all.size() > room;
            String line = cut ? "… " + (all.size() - room + 1) + " lines more; the window is too low" : all.get(i);
            String fitting = line.codePointCount(0, line.length()) > columns
                    ? line.substring(0, line.offsetByCodePoints(0, columns))
                    : line;
            frame.append(paint.line(fitting, i == 0)).append(END_OF_LINE).append("\r\n");
        }
        return frame.append(REST).toString();
    }

    /**
     * Waits, and shows a picture again when the window's size changes.
     *
     * @return whether to go on; false if somebody pressed {@code q}
     */
    boolean await(Duration time, String picture) throws InterruptedException {
        long end = System.nanoTime() + time.toNanos();
        for (long left = time.toNanos(); left > 0; left = end - System.nanoTime()) {
            if (!terminal) {
                Thread.sleep(Duration.ofNanos(left));
                continue;
            }
            if (isQuitPressed()) {
                return false;
            }
            if (resized) {
                resized = false;
                measure();
                show(picture);
            }
            Thread.sleep(Duration.ofNanos(Math.min(left, TimeUnit.MILLISECONDS.toNanos(LOOK_MILLIS))));
        }
        return true;
    }

    private static boolean isQuitPressed() {
        try {
            while (System.in.available() > 0) {
                int key = System.in.read();
                if (key == 'q' || key == 'Q') {
                    return true;
                }
            }
        } catch (IOException e) {
            return true; // Nobody can press anything any more.
        }
        return false;
    }

    private void measure() {
        String said = stty("size");
        Matcher size = SIZE.matcher(said == null ? "" : said);
        boolean told =
                size.matches() && !size.group(1).equals("0") && !size.group(2).equals("0");
        lines = told ? Integer.parseInt(size.group(1)) : 24;
        columns = told ? Integer.parseInt(size.group(2)) : 80;
    }

    /** Asks stty, of the terminal that this process has; null if that cannot be done. */
    private static @Nullable String stty(String... words) {
        try {
            ProcessBuilder builder = new ProcessBuilder("stty");
            builder.command().addAll(List.of(words));
            Process process = builder.redirectInput(new File("/dev/tty"))
                    .redirectError(ProcessBuilder.Redirect.DISCARD)
                    .start();
            String said = new String(process.getInputStream().readAllBytes(), StandardCharsets.US_ASCII).strip();
            return process.waitFor() == 0 ? said : null;
        } catch (IOException e) {
            return null;
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            return null;
        }
    }

    private synchronized void leave() {
        if (terminal && !left) {
            left = true;
            out.print(LEAVE);
            out.flush();
            if (mode != null) {
                stty(mode);
            }
        }
    }

    @Override
    public void close() {
        leave();
        if (terminal) {
            try {
                Runtime.getRuntime().removeShutdownHook(restore);
            } catch (IllegalStateException e) {
                return; // It runs already.
            }
        }
    }
}
