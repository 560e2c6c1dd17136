package io.leapnbd.tools.histogram;

import io.leapnbd.bypass.latency.Operation;
import io.leapnbd.bypass.latency.Stage;
import io.leapnbd.tools.cli.CommandFailure;
import io.leapnbd.tools.cli.ExitCode;
import io.leapnbd.tools.http.EndpointOptions;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/** {@code leap-nbd histogram}. */
@Command(
        name = "histogram",
        description = "Latency histograms of a running server.",
        subcommands = HistogramCommand.Dump.class,
        synopsisSubcommandLabel = "COMMAND")
public final class HistogramCommand implements Runnable {

    @Spec
    private CommandSpec spec = CommandSpec.create();

    /** For picocli. */
    public HistogramCommand() {}

    @Override
    public void run() {
        throw new ParameterException(spec.commandLine(), "say 'leap-nbd histogram dump'; --help tells more");
    }

    /** {@code leap-nbd histogram dump}. */
    @Command(
            name = "dump",
            sortOptions = false,
            description = {
                "Prints the latencies that a running server has recorded since it started.",
                "",
                "  hgrm  percentiles of one operation and stage in microseconds, as HdrHistogram prints them",
                "  hlog  all of them in HdrHistogram's log format, in nanoseconds, for its HistogramLogProcessor",
                "  json  percentiles of all of them in microseconds",
                "  html  a page with the percentile curves, which needs nothing but itself",
                ""
            })
    static final class Dump implements Callable<Integer> {

        @Mixin
        private final EndpointOptions endpoint = new EndpointOptions();

        @Option(
                names = "--format",
                paramLabel = "FORMAT",
                defaultValue = "hgrm",
                description = "hgrm, hlog, json or html. Default: ${DEFAULT-VALUE}.")
        private HistogramFormat format = HistogramFormat.HGRM;

        @Option(
                names = "--operation",
                paramLabel = "NAME",
                completionCandidates = Operations.class,
                description = "${COMPLETION-CANDIDATES}. Default: all; for hgrm, read.")
        private @Nullable String operation;

        @Option(
                names = "--stage",
                paramLabel = "NAME",
                completionCandidates = Stages.class,
                description = "${COMPLETION-CANDIDATES}. Default: all; for hgrm, total.")
        private @Nullable String stage;

        @Option(
                names = {"-o", "--output"},
                paramLabel = "FILE",
                description = "Write to this file, not to standard output.")
        private @Nullable Path output;

        @Spec
        private CommandSpec spec = CommandSpec.create();

        Dump() {}

        @Override
        public Integer call() {
            String query = "/histograms?format=" + format.label()
                    + parameter("operation", operation, new Operations())
                    + parameter("stage", stage, new Stages());
            String text = endpoint.client().get(query);
            if (output == null) {
                spec.commandLine().getOut().print(text);
                spec.commandLine().getOut().flush();
                return ExitCode.OK;
            }
            try {
                Files.writeString(output, text);
            } catch (IOException e) {
                throw new CommandFailure(
                        ExitCode.FAILED,
                        output + " cannot be written (" + e.getClass().getSimpleName() + ")",
                        e);
            }
            return ExitCode.OK;
        }

        private String parameter(String name, @Nullable String value, Iterable<String> known) {
            if (value == null) {
                return "";
            }
            List<String> names = new ArrayList<>();
            known.forEach(names::add);
            if (!names.contains(value)) {
                throw new ParameterException(
                        spec.commandLine(),
                        "--" + name + ": '" + value + "' is none; choose one of " + String.join(", ", names));
            }
            return "&" + name + "=" + value;
        }
    }

    private static final class Operations implements Iterable<String> {
        @Override
        public Iterator<String> iterator() {
            return Stream.of(Operation.values()).map(Operation::label).iterator();
        }
    }

    private static final class Stages implements Iterable<String> {
        @Override
        public Iterator<String> iterator() {
            return Stream.of(Stage.values()).map(Stage::label).iterator();
        }
    }
}
