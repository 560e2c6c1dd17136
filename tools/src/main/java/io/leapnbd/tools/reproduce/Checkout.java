package io.leapnbd.tools.reproduce;

import io.leapnbd.tools.cli.JsonValue;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/** What lies beside the launcher: in a checkout the benchmark of swap and the recorded traces, in a package the traces. For one thread. */
final class Checkout {

    private static final String RUN = "tools/bench/swap/run";
    private static final String RIG = "tools/bench/swap/rig.sh";
    private static final String RESULTS = "tools/target/bench-swap";
    private static final int TEARDOWN_SECONDS = 120;

    private final @Nullable Path home;
    private final @Nullable Path results;

    /**
     * One to run things in.
     *
     * @param home the launcher's folder; null if nobody knows it
     * @param results a folder with earlier results of the benchmark to be used instead of a run; null to run it
     */
    Checkout(@Nullable Path home, @Nullable Path results) {
        this.home = home;
        this.results = results;
    }

    /** The folder of the launcher that started this process. */
    static @Nullable Path launcherFolder() {
        String launcher = System.getProperty("leapnbd.launcher");
        return launcher == null ? null : Path.of(launcher).toAbsolutePath().getParent();
    }

    /** A recorded trace. */
    Path trace(String name, @Nullable Path given) throws SkippedException {
        List<Path> places = new ArrayList<>();
        if (given != null) {
            places.add(given);
        } else if (home != null) {
            places.add(home.resolve("tools/src/traces"));
            places.add(home.resolve("traces"));
        }
        return places.stream()
                .map(place -> place.resolve(name + "-pc0.gz"))
                .filter(Files::exists)
                .findFirst()
                .orElseThrow(() -> new SkippedException("there is no recorded trace " + name
                        + "-pc0.gz; --traces names their folder (tools/src/traces in the source)"));
    }

    /** Whether figures are those of an earlier run. */
    boolean earlier() {
        return results != null;
    }

    /**
     * Runs the benchmark of swap, or reads what it left, and gives its result. Its progress goes to standard error.
     *
     * @param file what it leaves
     * @param arguments for {@code tools/bench/swap/run}
     * @throws SkippedException if this machine, user or copy cannot
     * @throws IOException if it failed; the message is a sentence
     */
    JsonValue bench(String file, List<String> arguments) throws SkippedException, IOException {
        if (results != null) {
            Path left = results.resolve(file);
            if (!Files.exists(left)) {
                throw new SkippedException("there is no " + file + " in " + results);
            }
            return read(left);
        }
        if (home == null || !Files.exists(home.resolve(RUN))) {
            throw new SkippedException("native swap is measured by " + RUN + ", which only the source has");
        }
        String missing = missing(home);
        if (!missing.isEmpty()) {
            throw new SkippedException(missing);
        }
        Path left = home.resolve(RESULTS).resolve(file);
        Files.deleteIfExists(left);
        List<String> command = new ArrayList<>(List.of(home.resolve(RUN).toString()));
        command.addAll(arguments);
        int status = run(new ProcessBuilder(command)
                .redirectOutput(ProcessBuilder.Redirect.DISCARD)
                .redirectError(ProcessBuilder.Redirect.INHERIT));
        if (status != 0) {
            throw new IOException(RUN + " failed with status " + status + "; what it said is above the last line");
        }
        return read(left);
    }

    /** What this machine lacks, in rig.sh's words; empty if nothing. */
    private static String missing(Path home) throws IOException {
        ProcessBuilder can = new ProcessBuilder(home.resolve(RIG).toString(), "can").redirectErrorStream(true);
        can.redirectInput(ProcessBuilder.Redirect.from(Path.of("/dev/null").toFile()));
        Process process = can.start();
        String said = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8)
                .lines()
                .reduce("", (before, line) -> line)
                .replaceFirst("^rig\\.sh: ", "");
        if (wait(process) == 0) {
            return "";
        }
        return said.isEmpty() ? RIG + " can failed" : said;
    }

    private static int run(ProcessBuilder builder) throws IOException {
        Process process = builder.redirectInput(Path.of("/dev/null").toFile()).start();
        // Ended from outside, it still has to take down what it set up.
        Thread ending = new Thread(() -> end(process), "bench-end");
        Runtime.getRuntime().addShutdownHook(ending);
        int status = wait(process);
        try {
            Runtime.getRuntime().removeShutdownHook(ending);
        } catch (IllegalStateException _) {
            // It runs already.
        }
        return status;
    }

    private static void end(Process process) {
        process.destroy();
        try {
            process.waitFor(TEARDOWN_SECONDS, TimeUnit.SECONDS);
        } catch (InterruptedException _) {
            Thread.currentThread().interrupt();
        }
    }

    private static int wait(Process process) throws IOException {
        try {
            return process.waitFor();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            end(process);
            throw new IOException("interrupted", e);
        }
    }

    private static JsonValue read(Path file) throws IOException {
        try {
            return JsonValue.parse(Files.readString(file));
        } catch (IllegalArgumentException e) {
            throw new IOException(file + " is not the benchmark's (" + e.getMessage() + ")", e);
        }
    }
}
