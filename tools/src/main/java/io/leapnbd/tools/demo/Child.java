package io.leapnbd.tools.demo;

import io.leapnbd.tools.cli.CommandFailure;
import io.leapnbd.tools.cli.ExitCode;
import java.io.BufferedReader;
import java.io.File;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import org.jspecify.annotations.Nullable;

/** A leap-nbd process of its own, started with the launcher's flags where there is a launcher. For one thread. */
final class Child implements AutoCloseable {

    private static final Duration READY = Duration.ofSeconds(60);
    private static final int LINES_SHOWN = 3;

    private final String name;
    private final Path log;
    private final Process process;

    private Child(String name, Path log, Process process) {
        this.name = name;
        this.log = log;
        this.process = process;
    }

    /**
     * Starts a process.
     *
     * @param name for messages and the log's name
     * @param folder where its log, run file and state go
     */
    static Child start(String name, Path folder, String... arguments) throws IOException {
        Path log = folder.resolve(name + ".log");
        List<String> command = new ArrayList<>(prefix());
        command.addAll(List.of(arguments));
        ProcessBuilder builder = new ProcessBuilder(command)
                .redirectError(ProcessBuilder.Redirect.appendTo(log.toFile()))
                .redirectInput(ProcessBuilder.Redirect.from(new File("/dev/null")));
        builder.environment().put("LEAP_NBD_RUN_DIR", folder.toString());
        builder.environment().put("LEAP_NBD_BUILD", "no");
        // This machine's own settings are not those of a demo.
        builder.environment().put("LEAP_NBD_CONFIG", "none");
        builder.environment().keySet().removeIf(variable -> variable.matches("LEAP_NBD_(SERVE|DONOR|ATTACH)_.*"));
        return new Child(name, log, builder.start());
    }

    private static List<String> prefix() {
        String launcher = System.getProperty("leapnbd.launcher");
        if (launcher != null) {
            return List.of(launcher);
        }
        // Without a launcher, as in tests: the flags of this very process.
        List<String> command = new ArrayList<>();
        command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
        ManagementFactory.getRuntimeMXBean().getInputArguments().stream()
                .filter(flag -> flag.startsWith("-X") || flag.startsWith("--"))
                .forEach(command::add);
        // As the launcher has it: buffers are bounded by their budgets, not by the JVM.
        command.add("-XX:MaxDirectMemorySize=64g");
        command.addAll(List.of("-cp", System.getProperty("java.class.path"), "io.leapnbd.tools.LeapNbd"));
        return command;
    }

    /**
     * Waits for the ready line and returns its addresses, in its order.
     *
     * @throws CommandFailure if it does not come, with what the process said
     */
    List<String> awaitReady() {
        CompletableFuture<@Nullable String> line = new CompletableFuture<>();
        Thread.ofPlatform().daemon().name(name + "-out").start(() -> {
            try (BufferedReader out = process.inputReader(StandardCharsets.UTF_8)) {
                line.complete(out.readLine());
            } catch (IOException e) {
                line.completeExceptionally(e);
            }
        });
        try {
            String ready = line.get(READY.toSeconds(), TimeUnit.SECONDS);
            if (ready != null && ready.startsWith("ready ")) {
                return List.of(ready.substring("ready ".length()).split(" "));
            }
            throw new CommandFailure(ExitCode.FAILED, "the " + name + " did not start: " + lastWords());
        } catch (TimeoutException e) {
            throw new CommandFailure(
                    ExitCode.FAILED,
                    "the " + name + " was not ready after " + READY.toSeconds() + "s: " + lastWords(),
                    e);
        } catch (ExecutionException e) {
            throw new CommandFailure(ExitCode.FAILED, "the " + name + " did not start: " + lastWords(), e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new CommandFailure(ExitCode.INTERRUPTED, "interrupted", e);
        }
    }

    /** {@code kill -9}, and waits until it is gone. */
    void kill() {
        process.destroyForcibly();
        try {
            process.waitFor(10, TimeUnit.SECONDS);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    /** What it said last, for a message. */
    private String lastWords() {
        try {
            List<String> lines = Files.readAllLines(log);
            return lines.isEmpty()
                    ? "it said nothing"
                    : String.join(" / ", lines.subList(Math.max(0, lines.size() - LINES_SHOWN), lines.size()));
        } catch (IOException e) {
            return "it said nothing";
        }
    }

    /** Asks it to end, and kills it if it does not. */
    @Override
    public void close() {
        process.destroy();
        try {
            if (!process.waitFor(5, TimeUnit.SECONDS)) {
                kill();
            }
        } catch (InterruptedException e) {
            process.destroyForcibly();
            Thread.currentThread().interrupt();
        }
    }
}
