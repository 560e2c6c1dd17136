package io.leapnbd.tools.replay;

import io.leapnbd.prefetch.LeapSettings;
import io.leapnbd.prefetch.PageCache;
import io.leapnbd.prefetch.PrefetchPolicy;
import io.leapnbd.prefetch.replay.Simulation;
import io.leapnbd.prefetch.replay.SimulationSettings;
import io.leapnbd.prefetch.replay.Trace;
import io.leapnbd.prefetch.replay.TraceFormatException;
import io.leapnbd.prefetch.replay.TraceReader;
import io.leapnbd.tools.cli.CommandFailure;
import io.leapnbd.tools.cli.Durations;
import io.leapnbd.tools.cli.ExitCode;
import io.leapnbd.tools.cli.Size;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** {@code leap-nbd replay}. */
@Command(
        name = "replay",
        sortOptions = false,
        description = {
            "Plays recorded traces to prefetch policies, in simulated time, and says what each would have done: no server,"
                    + " no kernel, no donors needed.",
            "",
            "  coverage    demanded pages that were prefetched",
            "  accuracy    prefetched pages that were demanded",
            "  early       from a page's arrival in the cache to its demand",
            "  wait        what a demanded page was waited for",
            "  time        how long the whole trace took",
            "",
            "A trace has one request a line, '<microseconds since start> <R|W|T> <first page> <pages>'; 'leap-nbd trace"
                    + " generate' makes some, and gz files are read as they are.",
            ""
        })
public final class ReplayCommand implements Callable<Integer> {

    @Parameters(paramLabel = "TRACE", arity = "1..*", description = "Files to play; .gz or not.")
    private List<Path> traces = new ArrayList<>();

    @Option(
            names = "--prefetch",
            paramLabel = "POLICIES",
            defaultValue = "all",
            converter = PolicyChoice.Converter.class,
            description = "all, or policies by name with commas between. Default: ${DEFAULT-VALUE}.")
    private PolicyChoice policies = new PolicyChoice(List.of(PrefetchPolicy.values()));

    @Option(
            names = "--cache-size",
            paramLabel = "SIZE",
            defaultValue = "4M",
            converter = Size.Converter.class,
            description = "Memory for prefetched pages. Default: ${DEFAULT-VALUE}.")
    private Size cacheSize = new Size(4 << 20);

    @Option(
            names = "--latency",
            paramLabel = "TIME",
            defaultValue = "50us",
            converter = Durations.Converter.class,
            description =
                    "What a fetch from a donor takes on an idle link, besides the transfer. Default: ${DEFAULT-VALUE}.")
    private Duration latency = Duration.ofNanos(50_000);

    @Option(
            names = "--bandwidth",
            paramLabel = "SIZE",
            defaultValue = "1G",
            converter = Size.Converter.class,
            description = "What the link carries in a second. Default: ${DEFAULT-VALUE}.")
    private Size bandwidth = new Size(1 << 30);

    @Option(
            names = "--warm-up",
            paramLabel = "DEMANDS",
            defaultValue = "1000",
            description = "Demanded pages at the start that are played but not counted. Default: ${DEFAULT-VALUE}.")
    private long warmUp = 1000;

    @Option(
            names = "--leap-history",
            paramLabel = "H",
            defaultValue = "32",
            description = "Leap's access history, in deltas. Default: ${DEFAULT-VALUE}.")
    private int leapHistory = 32;

    @Option(
            names = "--leap-split",
            paramLabel = "N",
            defaultValue = "4",
            description = "The part of it in which Leap looks for a trend first. Default: ${DEFAULT-VALUE}.")
    private int leapSplit = 4;

    @Option(
            names = "--leap-window",
            paramLabel = "PAGES",
            defaultValue = "8",
            description = "Leap's largest prefetch. Default: ${DEFAULT-VALUE}.")
    private int leapWindow = 8;

    @Option(names = "--json", description = "As a JSON array, for scripts.")
    private boolean json;

    @Option(
            names = "--report",
            paramLabel = "FILE",
            description =
                    "Write the comparison as Markdown too, with pictures beside it: FILE.md, FILE-coverage.svg and"
                            + " FILE-time.svg.")
    private @Nullable Path report;

    @Spec
    private CommandSpec spec = CommandSpec.create();

    /** For picocli. */
    public ReplayCommand() {}

    @Override
    public Integer call() {
        SimulationSettings settings = settings();
        PrintWriter out = spec.commandLine().getOut();
        List<Replay> all = new ArrayList<>();
        List<List<Replay>> byTrace = new ArrayList<>();
        for (Path file : traces) {
            Trace trace = read(file);
            if (trace.demands() <= warmUp) {
                throw new CommandFailure(
                        ExitCode.FAILED,
                        file + " has " + ReplayTable.number(trace.demands()) + " demanded pages, and the first "
                                + ReplayTable.number(warmUp) + " are not counted; give a smaller --warm-up");
            }
            List<Replay> replays = new ArrayList<>();
            for (PrefetchPolicy policy : policies.policies()) {
                replays.add(new Replay(name(file), policy, Simulation.run(trace, policy, settings)));
            }
            if (!json) {
                out.print(all.isEmpty() ? "" : "\n");
                out.println(name(file) + ": "
                        + ReplayTable.number(replays.getFirst().result().demands()) + " demanded pages counted of "
                        + ReplayTable.number(trace.demands()));
                out.print(ReplayTable.render(replays));
                out.flush();
            }
            all.addAll(replays);
            byTrace.add(replays);
        }
        if (json) {
            out.println(ReplayJson.render(all));
            out.flush();
        }
        if (report != null) {
            write(report, byTrace);
        }
        return ExitCode.OK;
    }

    private void write(Path page, List<List<Replay>> byTrace) {
        try {
            ReplayReport.write(
                    page,
                    byTrace,
                    "Simulated with a cache of " + Size.approximate(cacheSize.bytes()) + ", a link of "
                            + Durations.format(latency) + " and " + Size.approximate(bandwidth.bytes())
                            + " a second; the first " + ReplayTable.number(warmUp)
                            + " demands of each trace are not counted.");
        } catch (IOException e) {
            throw new CommandFailure(
                    ExitCode.FAILED,
                    page + " cannot be written (" + e.getClass().getSimpleName() + ")",
                    e);
        }
    }

    private SimulationSettings settings() {
        long page = PageCache.PAGE_SIZE;
        if (cacheSize.bytes() < page || cacheSize.bytes() % page != 0 || cacheSize.bytes() > 1L << 34) {
            throw refused("--cache-size: " + cacheSize + " is not a multiple of 4K above zero, at most 16G");
        }
        if (bandwidth.bytes() < 1) {
            throw refused("--bandwidth: a link that carries nothing brings no page; give more than 0");
        }
        if (latency.compareTo(Duration.ofSeconds(10)) > 0) {
            throw refused("--latency: " + Durations.format(latency) + " is not in 0s..10s");
        }
        if (warmUp < 0) {
            throw refused("--warm-up: " + warmUp + " is less than 0");
        }
        try {
            return new SimulationSettings(
                    (int) (cacheSize.bytes() / page),
                    latency.toNanos(),
                    bandwidth.bytes(),
                    warmUp,
                    new LeapSettings(leapHistory, leapSplit, leapWindow));
        } catch (IllegalArgumentException e) {
            throw refused(String.valueOf(e.getMessage()));
        }
    }

    private ParameterException refused(String why) {
        return new ParameterException(spec.commandLine(), why);
    }

    private static Trace read(Path file) {
        if (!Files.exists(file)) {
            throw new CommandFailure(ExitCode.FAILED, "there is no file " + file);
        }
        try {
            return TraceReader.read(file);
        } catch (TraceFormatException e) {
            throw new CommandFailure(ExitCode.FAILED, file + ", " + e.getMessage(), e);
        } catch (IOException e) {
            throw new CommandFailure(
                    ExitCode.FAILED, file + " cannot be read (" + e.getClass().getSimpleName() + ")", e);
        }
    }

    private static String name(Path file) {
        Path name = file.getFileName();
        return name == null ? file.toString() : name.toString();
    }
}
