package io.leapnbd.tools.demo;

import io.leapnbd.nbd.NbdUri;
import io.leapnbd.tools.cli.Closings;
import io.leapnbd.tools.cli.CommandFailure;
import io.leapnbd.tools.cli.Durations;
import io.leapnbd.tools.cli.ExitCode;
import io.leapnbd.tools.cli.Size;
import io.leapnbd.tools.cli.Table;
import io.leapnbd.tools.linux.Machine;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Collections;
import java.util.EnumMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.Callable;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import org.HdrHistogram.Histogram;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/** {@code leap-nbd demo}. */
@Command(
        name = "demo",
        sortOptions = false,
        description = {
            "Shows the whole of it on this machine, in under a minute and without root: three donors, a server that keeps two"
                    + " copies of each page, and a client that reads in three patterns and checks every page. Half-way the"
                    + " server is killed, and later a donor, which does not come back.",
            ""
        })
public final class DemoCommand implements Callable<Integer> {

    private static final Size DEFAULT_SIZE = Size.parse("64M");
    private static final long SMALLEST = 4L << 20;
    private static final long LARGEST = 4L << 30;
    private static final int FILL_BYTES = 128 << 10;
    private static final long HIGHEST_NANOS = 60_000_000_000L;

    @Option(
            names = "--size",
            paramLabel = "SIZE",
            converter = Size.Converter.class,
            description = "Size of the device; the donors take at most three times as much. Default: 64M.")
    private Size size = DEFAULT_SIZE;

    @Option(
            names = "--seed",
            paramLabel = "N",
            description = "What the pages' contents follow from. Default: the time.")
    private @Nullable Long seed;

    @Spec
    private CommandSpec spec = CommandSpec.create();

    private final PrintStream out = new PrintStream(System.out, true, System.out.charset());
    private final Map<AccessPattern, Histogram> latencies = new EnumMap<>(AccessPattern.class);
    private String lost = "";
    private CompletableFuture<Repair> repair = CompletableFuture.completedFuture(new Repair(0, 0, 0));

    /** For picocli. */
    public DemoCommand() {}

    @Override
    public Integer call() {
        if (size.bytes() < SMALLEST || size.bytes() > LARGEST || size.bytes() % SMALLEST != 0) {
            throw new ParameterException(
                    spec.commandLine(), "--size: " + size + " is not a multiple of 4M from 4M to 4G");
        }
        Closings closings = new Closings();
        Thread hook = Thread.ofPlatform().name("demo-end").unstarted(closings::close);
        Runtime.getRuntime().addShutdownHook(hook);
        try {
            run(closings);
            return ExitCode.OK;
        } catch (IOException e) {
            throw new CommandFailure(ExitCode.FAILED, String.valueOf(e.getMessage()), e);
        } finally {
            closings.close();
        }
    }

    private void run(Closings closings) throws IOException {
        long start = System.nanoTime();
        PageContent content = new PageContent(seed == null ? System.nanoTime() : seed);
        int pages = (int) (size.bytes() / PageContent.PAGE_SIZE);
        out.println(
                "Three donors and a server that show each other certificates, two encrypted copies of each page, and a client that"
                        + " checks every page, all on this machine.");
        out.println();
        Cluster cluster = new Cluster(size.bytes(), closings);
        cluster.donors().forEach(donor -> out.println("  donor       " + donor));
        out.println("  server      " + cluster.uri());
        out.println("  device      " + Size.approximate(size.bytes()) + ", " + String.format(Locale.ROOT, "%,d", pages)
                + " pages of 4 KiB, seed " + content.seed());
        out.println();
        try (PatientClient client = new PatientClient(cluster.uri())) {
            fill(client, content, pages);
            for (AccessPattern pattern : AccessPattern.values()) {
                read(client, content, pattern, pages, cluster);
            }
            repaired();
            report(pages, System.nanoTime() - start);
        }
    }

    private void fill(PatientClient client, PageContent content, int pages) throws IOException {
        ByteBuffer buffer = ByteBuffer.allocateDirect(FILL_BYTES);
        int step = FILL_BYTES / PageContent.PAGE_SIZE;
        try (Progress progress = new Progress("fill", pages, out)) {
            for (int first = 0; first < pages; first += step) {
                buffer.clear();
                for (int page = first; page < first + step; page++) {
                    content.put(page, buffer);
                }
                client.write((long) first * PageContent.PAGE_SIZE, buffer.flip());
                progress.step(step);
            }
        }
    }

    /** Reads every page once. Half-way through one pattern the server is killed, and half-way through another a donor. */
    private void read(PatientClient client, PageContent content, AccessPattern pattern, int pages, Cluster cluster)
            throws IOException {
        Histogram histogram = new Histogram(HIGHEST_NANOS, 3);
        latencies.put(pattern, histogram);
        int[] order = pattern.order(pages, content.seed());
        ByteBuffer buffer = ByteBuffer.allocateDirect(PageContent.PAGE_SIZE);
        CompletableFuture<Void> restarted = CompletableFuture.completedFuture(null);
        long longest = 0;
        try (Progress progress = new Progress(pattern.label(), pages, out)) {
            for (int i = 0; i < pages; i++) {
                if (i == pages / 2 && pattern == AccessPattern.SEQUENTIAL) {
                    cluster.killServer();
                    restarted = restart(cluster);
                } else if (i == pages / 2 && pattern == AccessPattern.STRIDE) {
                    loseDonor(cluster);
                    longest = 0;
                }
                buffer.clear();
                long outages = client.outages();
                long before = System.nanoTime();
                client.read((long) order[i] * PageContent.PAGE_SIZE, buffer);
                long nanos = System.nanoTime() - before;
                if (!content.matches(order[i], buffer)) {
                    throw new IOException("page " + order[i] + " is wrong, with seed " + content.seed()
                            + "; please report this, it must never happen");
                }
                if (client.outages() == outages) {
                    histogram.recordValue(Math.min(nanos, HIGHEST_NANOS));
                    longest = Math.max(longest, nanos);
                } else {
                    progress.note("half-way the server was killed (-9) and started again; the client waited "
                            + Durations.approximate(client.outageNanos()));
                }
                progress.step(1);
            }
            if (pattern == AccessPattern.STRIDE) {
                progress.note("half-way donor " + lost
                        + " was killed (-9) and did not come back; no read after that took longer than "
                        + Durations.approximate(longest));
            }
        }
        restarted.join();
    }

    /** Kills the donor that holds most. */
    private void loseDonor(Cluster cluster) {
        List<Long> held = cluster.slabsHeld();
        long most = Collections.max(held);
        int number = held.indexOf(most);
        lost = cluster.donors().get(number);
        repair = Repair.watch(cluster, most);
        cluster.killDonor(number);
    }

    /** What became of the pages that the killed donor held. */
    private void repaired() {
        if (!repair.isDone()) {
            out.println("  Waiting until each page has two copies again ...");
        }
        Repair done;
        try {
            done = repair.join();
        } catch (CompletionException e) {
            throw e.getCause() instanceof CommandFailure failure ? failure : e;
        }
        out.println();
        out.println("  The killed donor held " + Size.approximate(done.bytes()) + ". It was given up after "
                + Durations.approximate(done.waitedNanos())
                + " of silence; then its pages were copied to the other two in "
                + Durations.approximate(done.copiedNanos()) + ".");
    }

    private static CompletableFuture<Void> restart(Cluster cluster) {
        return CompletableFuture.runAsync(() -> {
            try {
                cluster.restartServer();
            } catch (IOException e) {
                throw new CommandFailure(ExitCode.FAILED, "the server did not come back: " + e.getMessage(), e);
            }
        });
    }

    private void report(int pages, long nanos) {
        Table table = new Table("one page at a time", "pages", "p50", "p99", "max");
        latencies.forEach((pattern, histogram) -> table.row(
                pattern.label(),
                String.format(Locale.ROOT, "%,d", histogram.getTotalCount()),
                Durations.approximate(histogram.getValueAtPercentile(50)),
                Durations.approximate(histogram.getValueAtPercentile(99)),
                Durations.approximate(histogram.getMaxValue())));
        out.println();
        table.toString().lines().forEach(line -> out.println("  " + line));
        out.println();
        out.printf(
                Locale.ROOT,
                "  Every one of %,d pages read was right, also after both crashes: each page has a copy at two donors."
                        + " It took %.0f seconds.%n",
                (long) pages * AccessPattern.values().length,
                nanos / 1e9);
        out.println();
        out.println("Try next:");
        // The launcher of a checkout is beside its sources; an installed one is in the search path.
        Path launcher = Path.of(System.getProperty("leapnbd.launcher", "leap-nbd"));
        String name = Files.exists(launcher.resolveSibling("pom.xml")) ? "./leap-nbd" : "leap-nbd";
        out.println("  " + name + " doctor             what this machine needs to swap to remote memory");
        out.println("  " + name + " serve --size 1G    a server with a donor inside, at "
                + NbdUri.tcp("127.0.0.1", NbdUri.DEFAULT_PORT, Machine.defaultExport()));
    }
}
