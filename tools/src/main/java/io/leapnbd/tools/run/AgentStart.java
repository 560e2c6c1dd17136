package io.leapnbd.tools.run;

import java.io.File;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;

/**
 * Starts {@code leap-nbd push} for this process, before this process becomes a command: in a session of its own, and no child of the command,
 * which may wait for all of its children. It says through a file that it is ready, because the pipe of a process that has ended (here the one that
 * only forks) is closed.
 */
final class AgentStart {

    private static final long LIMIT_NANOS = TimeUnit.SECONDS.toNanos(30);
    private static final long LOOK_MILLIS = 20;

    /** Writes its process id as the first line, and becomes the agent, whose line follows. */
    private static final String SCRIPT = "echo $$ >\"$0\"; exec \"$@\" >>\"$0\"";

    private AgentStart() {}

    /**
     * Starts it and waits until it watches.
     *
     * @param launcher the program leap-nbd
     * @throws IOException in one sentence, if it does not; what it says itself has gone to standard error
     */
    static void forThisProcess(String launcher) throws IOException {
        Path said = Files.createTempFile("leap-nbd-push", ".ready");
        try {
            List<String> command = new ArrayList<>(List.of("setsid", "--fork", "sh", "-c", SCRIPT, said.toString()));
            command.addAll(List.of(
                    launcher,
                    "push",
                    "--pid",
                    Long.toString(ProcessHandle.current().pid())));
            new ProcessBuilder(command)
                    .redirectError(ProcessBuilder.Redirect.INHERIT)
                    .redirectOutput(ProcessBuilder.Redirect.DISCARD)
                    .redirectInput(ProcessBuilder.Redirect.from(new File("/dev/null")))
                    .start();
            if (!becomesReady(said)) {
                throw new IOException("the agent that pushes pages did not start; 'leap-nbd doctor push' says what is"
                        + " missing, and without --push the command runs unpushed");
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new IOException("interrupted while the agent that pushes pages starts", e);
        } finally {
            Files.deleteIfExists(said);
        }
    }

    /** Whether it says that it is ready, rather than end or take too long. */
    private static boolean becomesReady(Path said) throws IOException, InterruptedException {
        long end = System.nanoTime() + LIMIT_NANOS;
        while (System.nanoTime() - end < 0) {
            List<String> lines = Files.readString(said).lines().toList();
            if (lines.size() > 1) {
                return lines.get(1).startsWith("ready ");
            }
            if (lines.size() == 1
                    && !lines.getFirst().isEmpty()
                    && ProcessHandle.of(Long.parseLong(lines.getFirst())).isEmpty()) {
                return Files.readString(said).contains("\nready ");
            }
            Thread.sleep(LOOK_MILLIS);
        }
        return false;
    }
}
