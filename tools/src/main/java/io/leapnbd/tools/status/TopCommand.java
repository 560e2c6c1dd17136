package io.leapnbd.tools.status;

import io.leapnbd.tools.cli.CommandFailure;
import io.leapnbd.tools.cli.Durations;
import io.leapnbd.tools.cli.ExitCode;
import io.leapnbd.tools.cli.Size;
import io.leapnbd.tools.cli.Table;
import io.leapnbd.tools.http.EndpointClient;
import io.leapnbd.tools.http.EndpointOptions;
import java.time.Duration;
import java.time.LocalTime;
import java.time.ZoneId;
import java.time.format.DateTimeFormatter;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/** {@code leap-nbd top}. */
@Command(
        name = "top",
        sortOptions = false,
        description = {
            "Shows what a running server or donor does, again and again; q or Ctrl-C ends it.",
            "On a terminal it fits the window. With TERM=dumb, or into a pipe, pictures follow each other. NO_COLOR is heeded.",
            ""
        })
public final class TopCommand implements Callable<Integer> {

    private static final DateTimeFormatter CLOCK = DateTimeFormatter.ofPattern("HH:mm:ss", Locale.ROOT);
    private static final int DEGRADED_SHOWN = 8;

    @Mixin
    private final EndpointOptions endpoint = new EndpointOptions();

    @Option(
            names = "--interval",
            paramLabel = "TIME",
            defaultValue = "1s",
            converter = Durations.Converter.class,
            description = "Default: ${DEFAULT-VALUE}.")
    private Duration interval = Duration.ofSeconds(1);

    @Option(names = "--count", paramLabel = "N", description = "End after so many pictures.")
    private @Nullable Integer count;

    @Spec
    private CommandSpec spec = CommandSpec.create();

    /** For picocli. */
    public TopCommand() {}

    @Override
    public Integer call() {
        if (interval.compareTo(Duration.ofMillis(100)) < 0 || interval.compareTo(Duration.ofHours(1)) > 0) {
            throw new ParameterException(
                    spec.commandLine(), "--interval: " + Durations.format(interval) + " is not in 100ms..1h");
        }
        EndpointClient client = endpoint.client();
        Sample before = sample(client);
        String picture = "";
        LocalTime silentSince = null;
        try (Screen screen = Screen.open(spec.commandLine().getOut())) {
            for (int shown = 0; count == null || shown < count; shown++) {
                if (!screen.await(interval, picture)) {
                    return ExitCode.OK;
                }
                try {
                    client = silentSince == null ? client : found(client);
                    Sample now = sample(client);
                    boolean same = silentSince == null && startOf(now) == startOf(before);
                    picture = picture(client, same ? before : now, now) + complaints(client);
                    screen.show(picture);
                    before = now;
                    silentSince = null;
                } catch (CommandFailure e) {
                    silentSince = silentSince == null ? LocalTime.now(ZoneId.systemDefault()) : silentSince;
                    screen.show("no answer since " + CLOCK.format(silentSince)
                            + ", asking again; what follows is older\n\n" + picture);
                }
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            return ExitCode.INTERRUPTED;
        }
        return ExitCode.OK;
    }

    /** The endpoint that is meant, which may have another address after a restart; the former one if there is none. */
    private EndpointClient found(EndpointClient former) {
        try {
            return endpoint.client();
        } catch (CommandFailure e) {
            return former;
        }
    }

    private static double startOf(Sample sample) {
        return sample.value("leap_start_time_seconds");
    }

    private static Sample sample(EndpointClient client) {
        return Sample.parse(client.get("/metrics"), System.nanoTime()).ofExport();
    }

    /** What is degraded, a line each after an empty one; empty if nothing is. */
    private static String complaints(EndpointClient client) {
        return degraded(client.get("/status?format=text"));
    }

    /** The part of a status for people that says what is degraded. */
    static String degraded(String status) {
        List<String> lines = status.lines()
                .dropWhile(line -> !line.equals("degraded:"))
                .skip(1)
                .takeWhile(line -> line.startsWith("  "))
                .toList();
        StringBuilder out = new StringBuilder();
        lines.stream()
                .limit(DEGRADED_SHOWN)
                .forEach(line -> out.append(out.isEmpty() ? "\n" : "")
                        .append("degraded: ")
                        .append(line.strip())
                        .append('\n'));
        if (lines.size() > DEGRADED_SHOWN) {
            out.append("degraded: ").append(lines.size() - DEGRADED_SHOWN).append(" things more; 'leap-nbd status'\n");
        }
        return out.toString();
    }

    /** One picture, ending with a line feed. */
    static String picture(EndpointClient client, Sample before, Sample now) {
        if (PushPicture.fits(now)) {
            return PushPicture.of(client.address().toString(), before, now);
        }
        if (DonorPicture.fits(now)) {
            return DonorPicture.of(client.address().toString(), before, now);
        }
        StringBuilder out = new StringBuilder();
        out.append(String.format(
                Locale.ROOT,
                "%s  %s of %s written  %.0f clients  %.0f in flight  %s/s read  %s/s written%n%n",
                client.uri(),
                Size.approximate(((long) now.value("leap_pages_written")) * 4096),
                Size.approximate((long) now.value("leap_device_size_bytes")),
                now.value("leap_connections"),
                now.value("leap_requests_in_flight"),
                Size.approximate((long) now.rate(before, "leap_read_bytes_total")),
                Size.approximate((long) now.rate(before, "leap_written_bytes_total"))));
        Table requests = new Table("requests", "a second", "p50", "p99", "in all");
        for (String operation : now.labels("leap_requests_total", "operation")) {
            String key = "leap_requests_total{operation=\"" + operation + "\"}";
            if (now.value(key) > 0) {
                requests.row(
                        operation,
                        String.format(Locale.ROOT, "%,.0f", now.rate(before, key)),
                        latency(now.latency(before, operation, 0.5)),
                        latency(now.latency(before, operation, 0.99)),
                        String.format(Locale.ROOT, "%,.0f", now.value(key)));
            }
        }
        out.append(requests).append('\n');
        out.append(prefetch(before, now));
        out.append(copies(now, "repair")).append(copies(now, "moves"));
        Table donors = new Table("donor", "state", "TLS", "links", "slabs held", "free", "of", "timeouts");
        for (String donor : now.labels("leap_donor_up", "donor")) {
            String labels = "{donor=\"" + donor + "\"}";
            donors.row(
                    donor,
                    now.value("leap_donor_up" + labels) > 0 ? "up" : "down",
                    now.value("leap_donor_authenticated" + labels) > 0 ? "yes" : "no",
                    whole(now.value("leap_donor_links" + labels)),
                    whole(now.value("leap_donor_slabs_held" + labels)),
                    whole(now.value("leap_donor_slabs_free" + labels)),
                    whole(now.value("leap_donor_slabs" + labels)),
                    whole(now.value("leap_donor_timeouts_total" + labels)));
        }
        return out.append(donors).toString();
    }

    /** One line about what was prefetched since the earlier sample, with a line feed and an empty line. */
    private static String prefetch(Sample before, Sample now) {
        double hits = pages(before, now, "hit") + pages(before, now, "hit-in-flight");
        double added = pages(before, now, "added");
        return String.format(
                Locale.ROOT,
                "prefetch %s: %,.0f pages a second, coverage %s, accuracy %s, window %s%n%n",
                String.join(" ", now.labels("leap_prefetch_info", "policy")),
                added,
                percent(hits, hits + pages(before, now, "miss")),
                percent(pages(before, now, "used"), added),
                whole(now.value("leap_prefetch_window_pages")));
    }

    /** One line about copies that are still to be made, with a line feed and an empty line; empty if there are none. */
    private static String copies(Sample now, String work) {
        String labels = "{work=\"" + work + "\"}";
        double left = now.value("leap_copies_left" + labels);
        double seconds = now.value("leap_copies_seconds_left" + labels);
        return left <= 0
                ? ""
                : String.format(
                        Locale.ROOT,
                        "%s: %,.0f %s to make, %s, %s/s, %s%n%n",
                        work,
                        left,
                        left == 1 ? "copy" : "copies",
                        Size.approximate((long) now.value("leap_copies_left_bytes" + labels)),
                        Size.approximate((long) now.value("leap_copies_bytes_per_second" + labels)),
                        seconds < 0 ? "stands still" : String.format(Locale.ROOT, "%,.0f s left", seconds));
    }

    /** Pages a second. */
    private static double pages(Sample before, Sample now, String event) {
        return now.rate(before, "leap_cache_pages_total{event=\"" + event + "\"}");
    }

    private static String percent(double part, double whole) {
        // What was added before the interval may be used in it.
        return whole <= 0 ? "-" : String.format(Locale.ROOT, "%.0f %%", Math.min(100, 100 * part / whole));
    }

    private static String latency(double nanos) {
        return Double.isNaN(nanos) ? "-" : Durations.approximate(nanos);
    }

    private static String whole(double value) {
        return String.format(Locale.ROOT, "%,.0f", value);
    }
}
