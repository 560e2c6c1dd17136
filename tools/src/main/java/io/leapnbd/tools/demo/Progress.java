package io.leapnbd.tools.demo;

import io.leapnbd.tools.cli.Terminal;
import java.io.PrintStream;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import me.tongfei.progressbar.ConsoleProgressBarConsumer;
import me.tongfei.progressbar.ProgressBar;
import me.tongfei.progressbar.ProgressBarBuilder;
import me.tongfei.progressbar.ProgressBarStyle;
import org.jspecify.annotations.Nullable;

/** How far a phase is: a bar on a terminal, else one line when it has ended. For one thread. */
final class Progress implements AutoCloseable {

    private static final int WIDTH = 76;
    private static final int REDRAW_MILLIS = 100;

    private final @Nullable ProgressBar bar;
    private final PrintStream out;
    private final String name;
    private final List<String> notes = new ArrayList<>();
    private long done;

    /** Starts a phase of so many pages. */
    Progress(String name, long pages, PrintStream out) {
        this.name = String.format(Locale.ROOT, "%-10s", name);
        this.out = out;
        boolean utf8 = out.charset().name().startsWith("UTF");
        bar = Terminal.isHere()
                ? new ProgressBarBuilder()
                        .setTaskName("  " + this.name)
                        .setInitialMax(pages)
                        .setUpdateIntervalMillis(REDRAW_MILLIS)
                        .setStyle(utf8 ? ProgressBarStyle.UNICODE_BLOCK : ProgressBarStyle.ASCII)
                        .setConsumer(new ConsoleProgressBarConsumer(out, WIDTH))
                        .build()
                : null;
    }

    /** Some pages more are done. */
    void step(long pages) {
        done += pages;
        if (bar != null) {
            bar.stepBy(pages);
        }
    }

    /** Something to say when the phase has ended. */
    void note(String text) {
        notes.add(text);
    }

    @Override
    public void close() {
        if (bar != null) {
            bar.close();
        } else {
            out.printf(Locale.ROOT, "  %s  %,d pages%n", name, done);
        }
        notes.forEach(note -> out.println("  " + " ".repeat(name.length()) + "  " + note));
    }
}
