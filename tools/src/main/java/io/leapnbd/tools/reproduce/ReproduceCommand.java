package io.leapnbd.tools.reproduce;

import io.leapnbd.tools.cli.CommandFailure;
import io.leapnbd.tools.cli.ExitCode;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/** {@code leap-nbd reproduce}. */
@Command(
        name = "reproduce",
        sortOptions = false,
        description = {
            "Does small versions of the Leap paper's experiments on this machine. One page of HTML has them beside the published"
                    + " figures.",
            "",
            "  figure-7    how long touches of swapped memory take, natively",
            "  table-2     prefetch policies, by recorded traces",
            "  figure-9    programs with half of their memory, natively",
            "  figure-10   smaller and smaller caches, by recorded traces",
            "",
            "Native parts need the source, root, and a machine that does not swap. What cannot be done here is SKIPPED, with the"
                    + " reason.",
            "It takes some 20 minutes, and a quarter of that with --quick. Keep the machine quiet.",
            ""
        })
public final class ReproduceCommand implements Callable<Integer> {

    @Option(
            names = "--out",
            paramLabel = "FILE",
            defaultValue = "leap-nbd-reproduce.html",
            description = "The page. Default: ${DEFAULT-VALUE}.")
    private Path out = Path.of("leap-nbd-reproduce.html");

    @Option(names = "--quick", description = "One round, and smaller still: to see that it works, not to quote.")
    private boolean quick;

    @Option(
            names = "--only",
            paramLabel = "PART",
            split = ",",
            converter = Part.Converter.class,
            description = "One of the above; or several, with commas between. Default: all.")
    private List<Part> only = new ArrayList<>();

    @Option(
            names = "--results",
            paramLabel = "FOLDER",
            description = "Measure nothing natively: take what tools/bench/swap/run has left in this folder (swap.json,"
                    + " programs.json).")
    private @Nullable Path results;

    @Option(
            names = "--traces",
            paramLabel = "FOLDER",
            description = "Where recorded traces are. Default: those of the source or the package.")
    private @Nullable Path traces;

    @Spec
    private CommandSpec spec = CommandSpec.create();

    private final @Nullable Path home;

    /** For picocli. */
    public ReproduceCommand() {
        this(Checkout.launcherFolder());
    }

    ReproduceCommand(@Nullable Path home) {
        this.home = home;
    }

    @Override
    public Integer call() {
        for (Path folder : new Path[] {results, traces}) {
            if (folder != null && !Files.isDirectory(folder)) {
                throw new ParameterException(spec.commandLine(), "there is no folder " + folder);
            }
        }
        if (Files.isDirectory(out)) {
            throw new ParameterException(spec.commandLine(), "--out: " + out + " is a folder; name a file");
        }
        requireWritable(); // better now than after twenty minutes
        Here here = Here.now(spec.root().version());
        Checkout checkout = new Checkout(home, results);
        Replays replays = new Replays(checkout, traces);
        Map<Part, Outcome> outcomes = new EnumMap<>(Part.class);
        PrintWriter say = spec.commandLine().getErr();
        for (Part part : only.isEmpty() ? List.of(Part.values()) : only) {
            say.println(spec.qualifiedName() + ": " + part.label());
            say.flush();
            Outcome outcome = outcome(part, checkout, replays);
            outcomes.put(part, outcome);
            write(ReportPage.render(here, outcomes));
        }
        PrintWriter summary = spec.commandLine().getOut();
        outcomes.forEach((part, outcome) -> summary.println(part.label() + "  " + word(outcome)));
        summary.println("report " + out);
        summary.flush();
        boolean failed = outcomes.values().stream().anyMatch(Outcome.Failed.class::isInstance);
        return failed ? ExitCode.FAILED : ExitCode.OK;
    }

    private Outcome outcome(Part part, Checkout checkout, Replays replays) {
        try {
            return new Outcome.Done(
                    switch (part) {
                        case FIGURE_7 -> TouchSection.make(checkout, quick);
                        case TABLE_2 -> PolicySection.make(replays);
                        case FIGURE_9 -> ProgramSection.make(checkout, quick);
                        case FIGURE_10 -> CacheSection.make(replays, quick);
                    });
        } catch (SkippedException e) {
            return new Outcome.Skipped(String.valueOf(e.getMessage()));
        } catch (IOException e) {
            return new Outcome.Failed(String.valueOf(e.getMessage()));
        }
    }

    private static String word(Outcome outcome) {
        return switch (outcome) {
            case Outcome.Done _ -> "done";
            case Outcome.Skipped skipped -> "SKIPPED: " + skipped.reason();
            case Outcome.Failed failed -> "FAILED: " + failed.reason();
        };
    }

    private void requireWritable() {
        try {
            Files.deleteIfExists(Files.writeString(unfinished(), ""));
        } catch (IOException e) {
            throw notWritten(e);
        }
    }

    /** Whole or not at all: who looks at the page meanwhile sees the parts that are done. */
    private void write(String page) {
        try {
            Files.move(Files.writeString(unfinished(), page), out, StandardCopyOption.ATOMIC_MOVE);
        } catch (IOException e) {
            throw notWritten(e);
        }
    }

    private Path unfinished() {
        return out.resolveSibling(out.getFileName() + ".part");
    }

    private CommandFailure notWritten(IOException e) {
        return new CommandFailure(
                ExitCode.FAILED, out + " cannot be written (" + e.getClass().getSimpleName() + ")", e);
    }
}
