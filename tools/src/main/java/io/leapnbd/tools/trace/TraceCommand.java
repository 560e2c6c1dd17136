package io.leapnbd.tools.trace;

import io.leapnbd.prefetch.replay.SyntheticTrace;
import io.leapnbd.prefetch.replay.Trace;
import io.leapnbd.prefetch.replay.TraceWriter;
import io.leapnbd.tools.cli.CommandFailure;
import io.leapnbd.tools.cli.Durations;
import io.leapnbd.tools.cli.ExitCode;
import java.io.IOException;
import java.io.OutputStream;
import java.io.OutputStreamWriter;
import java.io.PrintWriter;
import java.io.UncheckedIOException;
import java.io.Writer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.concurrent.Callable;
import java.util.zip.GZIPOutputStream;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;
import picocli.CommandLine.TypeConversionException;

/** {@code leap-nbd trace}. */
@Command(
        name = "trace",
        description = "Traces of a device's requests, for 'leap-nbd replay'.",
        subcommands = TraceCommand.Generate.class,
        synopsisSubcommandLabel = "COMMAND")
public final class TraceCommand implements Runnable {

    @Spec
    private CommandSpec spec = CommandSpec.create();

    /** For picocli. */
    public TraceCommand() {}

    @Override
    public void run() {
        throw new ParameterException(spec.commandLine(), "say 'leap-nbd trace generate'; --help tells more");
    }

    /** {@code leap-nbd trace generate}. */
    @Command(
            name = "generate",
            sortOptions = false,
            description = {
                "Makes a trace with a known pattern, of reads of one page each.",
                "",
                "  sequential, reverse  every page, upwards or downwards, from some page on",
                "  stride:K             every K-th page; K may be negative",
                "  interleaved:N        N streams of differing strides, random order between them",
                "  noisy:P              sequential, with P percent of the requests to random pages",
                "  loop                 all pages in an irregular order, the same again and again",
                "  random               pages drawn uniformly",
                ""
            })
    static final class Generate implements Callable<Integer> {

        private static final long DEVICE_PAGES = 1 << 20;
        private static final int LOOP_PAGES = 20_000;
        private static final int LOOP_PASSES = 4;
        private static final int REQUESTS = 100_000;

        @Parameters(paramLabel = "KIND", converter = KindConverter.class, description = "One of the above.")
        private SyntheticTrace kind = new SyntheticTrace(SyntheticTrace.Kind.SEQUENTIAL, 0);

        @Option(
                names = "--pages",
                paramLabel = "N",
                description = "Pages of the device. Default: " + DEVICE_PAGES + "; for a loop, " + LOOP_PAGES + ".")
        private @Nullable Long pages;

        @Option(
                names = "--requests",
                paramLabel = "N",
                description = "How many. Default: " + REQUESTS + "; for a loop, four passes.")
        private @Nullable Integer requests;

        @Option(
                names = "--seed",
                paramLabel = "S",
                defaultValue = "1",
                description = "The same seed makes the same trace. Default: ${DEFAULT-VALUE}.")
        private long seed = 1;

        @Option(
                names = "--think",
                paramLabel = "TIME",
                defaultValue = "15us",
                converter = Durations.Converter.class,
                description = "Mean time between two requests; they are from 2/3 to 4/3 of it apart."
                        + " Default: ${DEFAULT-VALUE}.")
        private Duration think = Duration.ofNanos(15_000);

        @Option(
                names = {"-o", "--output"},
                paramLabel = "FILE",
                description = "Write to this file, compressed if it ends with .gz, not to standard output.")
        private @Nullable Path output;

        @Spec
        private CommandSpec spec = CommandSpec.create();

        Generate() {}

        @Override
        public Integer call() {
            boolean loop = kind.kind() == SyntheticTrace.Kind.LOOP;
            long device = pages != null ? pages : loop ? LOOP_PAGES : DEVICE_PAGES;
            long count = requests != null ? requests : loop ? LOOP_PASSES * device : REQUESTS;
            if (count < 1 || count > Integer.MAX_VALUE / 2) {
                throw new ParameterException(
                        spec.commandLine(), "--requests: " + count + " is not in 1.." + Integer.MAX_VALUE / 2);
            }
            if (think.compareTo(Duration.ofSeconds(1)) > 0) {
                throw new ParameterException(
                        spec.commandLine(), "--think: " + Durations.format(think) + " is not in 0s..1s");
            }
            Trace trace;
            try {
                trace = kind.generate(device, (int) count, think.toNanos(), seed);
            } catch (IllegalArgumentException e) {
                throw new ParameterException(spec.commandLine(), "--pages: " + e.getMessage(), e);
            }
            String comment =
                    "leap-nbd trace generate " + kind + " --pages " + device + " --requests " + count + " --seed "
                            + seed + " --think " + Durations.format(think) + "\n"
                            + "microseconds, R(ead), first page, pages";
            write(trace, comment);
            return ExitCode.OK;
        }

        private void write(Trace trace, String comment) {
            Path file = output;
            try {
                if (file == null) {
                    PrintWriter out = spec.commandLine().getOut();
                    TraceWriter.write(trace, comment, out);
                    out.flush();
                    return;
                }
                try (OutputStream bytes = Files.newOutputStream(file);
                        OutputStream stream = file.toString().endsWith(".gz") ? new GZIPOutputStream(bytes) : bytes;
                        Writer text = new OutputStreamWriter(stream, StandardCharsets.US_ASCII)) {
                    TraceWriter.write(trace, comment, text);
                }
            } catch (IOException e) {
                if (file == null) {
                    throw new UncheckedIOException(e);
                }
                throw new CommandFailure(
                        ExitCode.FAILED,
                        file + " cannot be written (" + e.getClass().getSimpleName() + ")",
                        e);
            }
        }
    }

    private static final class KindConverter implements ITypeConverter<SyntheticTrace> {
        @Override
        public SyntheticTrace convert(String text) {
            try {
                return SyntheticTrace.parse(text);
            } catch (IllegalArgumentException e) {
                throw new TypeConversionException(e.getMessage());
            }
        }
    }
}
