package io.leapnbd.tools.replay;

import io.leapnbd.prefetch.LeapSettings;
import io.leapnbd.prefetch.PageCache;
import io.leapnbd.prefetch.Prefetcher;
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
import picocli.CommandLine.ArgGroup;
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
            "A trace has one request a line, '<microseconds since start> <R|W|T> <first page> <pages>'. 'leap-nbd trace"
                    + " generate' makes some, and 'serve --record' records what a device is asked for. gz files are read as they are.",
            "",
            "A jar may bring policies of its own: docs/embedding.md has one in 20 lines.",
            ""
        })
public final class ReplayCommand implements Callable<Integer> {

    private static final String STANDARD_INPUT = "-";

    @Parameters(paramLabel = "TRACE", arity = "1..*", description = "Files to play, .gz or not; - is standard input.")
    private List<String> traces = new ArrayList<>();

    @Option(
            names = "--prefetch",
            paramLabel = "POLICIES",
            defaultValue = "all",
            converter = PolicyChoice.Converter.class,
            description =
                    "With commas between: all, policies by name, FILE.jar for those of a jar, or FILE.jar#NAME for one"
                            + " of them. Default: ${DEFAULT-VALUE}.")
    private PolicyChoice policies = PolicyChoice.all();

    @Option(
            names = "--cache-size",
            paramLabel = "SIZE",
            defaultValue = "16M",
            split = ",",
            converter = Size.Converter.class,
            description = "Memory for prefetched pages, as of a server; or several, with commas between."
                    + " Default: ${DEFAULT-VALUE}.")
    private List<Size> cacheSizes = List.of(new Size(16 << 20));

    @Option(
            names = "--latency",
            paramLabel = "TIME",
            defaultValue = "50us",
            split = ",",
            converter = Durations.Converter.class,
            description = "What a fetch from a donor takes on an idle link, besides the transfer; or several."
                    + " Default: ${DEFAULT-VALUE}.")
    private List<Duration> latencies = List.of(Duration.ofNanos(50_000));

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
            names = "--history",
            paramLabel = "H",
            defaultValue = "32",
            description = "Leap's access history, in deltas. Default: ${DEFAULT-VALUE}.")
    private int leapHistory = 32;

    @Option(
            names = "--split",
            paramLabel = "N",
            defaultValue = "4",
            description = "The part of it in which Leap looks for a trend first. Default: ${DEFAULT-VALUE}.")
    private int leapSplit = 4;

    @Option(
            names = "--max-window",
            paramLabel = "PAGES",
            defaultValue = "8",
            description = "Leap's largest prefetch. Default: ${DEFAULT-VALUE}.")
    private int leapWindow = 8;

    /** What scripts read instead of tables. */
    static final class Format {
        @Option(names = "--json", description = "As JSON, with the version and all parameters.")
        private boolean json;

        @Option(names = "--csv", description = "As comma-separated values, a line for each.")
        private boolean csv;
    }

    @ArgGroup
    private Format format = new Format();

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
        List<SimulationSettings> machines = machines();
        if (report != null && machines.size() > 1) {
            throw refused("--report compares policies on one machine; give one --cache-size and one --latency");
        }
        if (traces.stream().filter(STANDARD_INPUT::equals).count() > 1) {
            throw refused("standard input (-) can be read once; give it once");
        }
        List<Replay> all = new ArrayList<>();
        List<List<Replay>> byTrace = new ArrayList<>();
        for (String file : traces) {
            Trace trace = read(file);
            if (trace.cutOff() != null) {
                spec.commandLine()
                        .getErr()
                        .println(spec.qualifiedName() + ": " + file + ", " + trace.cutOff()
                                + "; the file is cut off, and what is before that is replayed");
            }
            if (trace.demands() <= warmUp) {
                throw new CommandFailure(
                        ExitCode.FAILED,
                        said(file) + " has " + ReplayTable.number(trace.demands()) + " demanded pages, and the first "
                                + ReplayTable.number(warmUp) + " are not counted; give a smaller --warm-up");
            }
            for (SimulationSettings machine : machines) {
                List<Replay> replays = policies.policies().stream()
                        .map(policy -> play(name(file), trace, policy, machine))
                        .toList();
                print(replays, trace, machines.size() > 1, all.isEmpty());
                all.addAll(replays);
                byTrace.add(replays);
            }
        }
        PrintWriter out = spec.commandLine().getOut();
        if (format.json) {
            out.println(ReplayJson.render(String.join(" ", spec.root().version()), all));
        } else if (format.csv) {
            out.print(ReplayCsv.render(all));
        }
        out.flush();
        if (report != null) {
            write(report, byTrace);
        }
        return ExitCode.OK;
    }

    /** The machines to imagine: each size of the cache with each latency. */
    private List<SimulationSettings> machines() {
        List<SimulationSettings> machines = new ArrayList<>();
        for (Size cacheSize : cacheSizes) {
            for (Duration latency : latencies) {
                machines.add(settings(cacheSize, latency));
            }
        }
        return machines;
    }

    private Replay play(String name, Trace trace, ReplayPolicy policy, SimulationSettings machine) {
        try {
            Prefetcher prefetcher = policy.maker().prefetcher(Math.max(1, trace.devicePages()), machine.leap());
            return new Replay(name, policy.label(), machine, Simulation.run(trace, prefetcher, machine));
        } catch (RuntimeException | LinkageError e) {
            // A jar's code may do anything.
            throw new CommandFailure(
                    ExitCode.FAILED, "the policy " + policy.label() + " failed at " + name + ": " + e, e);
        }
    }

    private void print(List<Replay> replays, Trace trace, boolean several, boolean first) {
        if (format.json || format.csv) {
            return;
        }
        PrintWriter out = spec.commandLine().getOut();
        Replay one = replays.getFirst();
        out.print(first ? "" : "\n");
        out.println(one.trace() + ": " + ReplayTable.number(one.result().demands()) + " demanded pages counted of "
                + ReplayTable.number(trace.demands()) + (several ? ", " + words(one.settings()) : ""));
        out.print(ReplayTable.render(replays));
        out.flush();
    }

    private static String words(SimulationSettings machine) {
        return "a cache of " + Size.approximate((long) machine.cachePages() * PageCache.PAGE_SIZE) + ", a link of "
                + Durations.format(Duration.ofNanos(machine.latencyNanos()));
    }

    private void write(Path page, List<List<Replay>> byTrace) {
        try {
            ReplayReport.write(
                    page,
                    byTrace,
                    "Simulated with " + words(byTrace.getFirst().getFirst().settings()) + " and "
                            + Size.approximate(bandwidth.bytes()) + " a second; the first " + ReplayTable.number(warmUp)
                            + " demands of each trace are not counted.");
        } catch (IOException e) {
            throw new CommandFailure(
                    ExitCode.FAILED,
                    page + " cannot be written (" + e.getClass().getSimpleName() + ")",
                    e);
        }
    }

    private SimulationSettings settings(Size cacheSize, Duration latency) {
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

    private static Trace read(String file) {
        try {
            if (file.equals(STANDARD_INPUT)) {
                return TraceReader.read(System.in);
            }
            if (!Files.exists(Path.of(file))) {
                throw new CommandFailure(ExitCode.FAILED, "there is no file " + file);
            }
            return TraceReader.read(Path.of(file));
        } catch (TraceFormatException e) {
            throw new CommandFailure(ExitCode.FAILED, said(file) + ", " + e.getMessage(), e);
        } catch (IOException e) {
            throw new CommandFailure(
                    ExitCode.FAILED,
                    said(file) + " cannot be read (" + e.getClass().getSimpleName() + ")",
                    e);
        }
    }

    private static String said(String file) {
        return file.equals(STANDARD_INPUT) ? name(file) : file;
    }

    private static String name(String file) {
        if (file.equals(STANDARD_INPUT)) {
            return "standard input";
        }
        Path name = Path.of(file).getFileName();
        return name == null ? file : name.toString();
    }
}
