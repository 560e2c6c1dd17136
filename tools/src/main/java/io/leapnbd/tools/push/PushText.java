package io.leapnbd.tools.push;

import io.leapnbd.prefetch.push.PushFigure;
import io.leapnbd.prefetch.push.PushFigures;
import io.leapnbd.tools.cli.Table;
import io.leapnbd.tools.linux.Errno;
import io.leapnbd.tools.linux.KernelFile;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;

/** What an agent does, for people: {@code leap-nbd status}. */
final class PushText {

    private static final double NANOS_A_MICRO = 1_000;

    private PushText() {}

    static String of(PushStatus status, String watches, String faultsBy) {
        StringBuilder out = new StringBuilder();
        PushTargets targets = status.targets();
        out.append("push for ").append(watches).append(", policy ");
        out.append(targets.settings().policy().label()).append('\n');
        out.append("faults by ").append(faultsBy);
        out.append(String.format(
                Locale.ROOT,
                ": %,d records, %,d lost%n",
                status.agent().records(),
                status.events().lost()));
        String server = status.announced().uri();
        out.append(
                server == null
                        ? "no server of the swap device is told\n"
                        : String.format(
                                Locale.ROOT,
                                "told: %s, %,d pages, %,d left out%n",
                                server,
                                status.announced().announced(),
                                status.announced().dropped()));
        if (targets.turnedAway() > 0) {
            out.append(String.format(Locale.ROOT, "%,d processes could not be pushed for%n", targets.turnedAway()));
        }
        table(out, "process", targets.live());
        table(out, "ended", targets.ended());
        return out.toString();
    }

    private static void table(StringBuilder out, String title, List<PushTarget> processes) {
        if (processes.isEmpty()) {
            return;
        }
        Table table = new Table(
                title,
                "policy",
                "faults",
                "major",
                "pushed",
                "hits",
                "evicted",
                "unused",
                "coverage",
                "accuracy",
                "lead",
                "stride",
                "read",
                "error");
        for (PushTarget target : processes) {
            PushFigures figures = target.pusher().figures();
            String name =
                    KernelFile.read(Path.of("/proc/" + target.pid() + "/comm")).orElse("");
            table.row(
                    (target.pid() + " " + name).strip(),
                    target.pusher().settings().policy().label(),
                    count(figures, PushFigure.FAULTS),
                    count(figures, PushFigure.MAJOR),
                    count(figures, PushFigure.PUSHED),
                    count(figures, PushFigure.HITS),
                    count(figures, PushFigure.EVICTED),
                    count(figures, PushFigure.UNUSED),
                    percent(figures.coverage()),
                    percent(figures.accuracy()),
                    Integer.toString((int) figures.lead()),
                    Long.toString(figures.trend()),
                    String.format(Locale.ROOT, "%,.0f µs", figures.latencyNanos() / NANOS_A_MICRO),
                    target.lastError() == 0 ? "-" : Errno.describe(target.lastError()));
        }
        out.append('\n').append(table);
    }

    private static String count(PushFigures figures, PushFigure figure) {
        return String.format(Locale.ROOT, "%,d", figures.get(figure));
    }

    private static String percent(double ratio) {
        return Double.isNaN(ratio) ? "-" : String.format(Locale.ROOT, "%.0f %%", 100 * ratio);
    }
}
