package io.leapnbd.tools.push;

import io.leapnbd.tools.host.SharedSettings;
import io.leapnbd.tools.linux.HostSetting;
import java.io.IOException;
import java.util.List;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * {@code vm.page-cluster} as long as an agent runs. It goes back when the agent ends, also when it is killed: a shell waits for the end of a pipe
 * that only the agent holds. Should that be killed too, whoever changes a setting next puts it back.
 */
final class PageCluster implements AutoCloseable {

    private static final String NAME = "vm.page-cluster";
    private static final String WHY = "what the kernel reads on the side would take the room of what is pushed";

    /** A line means that all is done; the end of the pipe without one, that the agent was killed. */
    private static final String SCRIPT = "trap '' INT TERM HUP; read -r _ || exec \"$0\" push --put-back";

    private final Consumer<String> report;
    private final @Nullable Process waiting;

    private PageCluster(Consumer<String> report, @Nullable Process waiting) {
        this.report = report;
        this.waiting = waiting;
    }

    /**
     * Sets it. What cannot be done is reported and no failure.
     *
     * @param pages the kernel reads 2 to this power at once
     */
    static PageCluster set(int pages, Consumer<String> report) {
        try {
            Process waiting = startWaiting();
            settings()
                    .apply(
                            SharedSettings.thisProcess(),
                            List.of(new HostSetting(NAME, HostSetting.Bound.EXACTLY, pages, WHY)))
                    .forEach(report);
            return new PageCluster(report, waiting);
        } catch (IOException e) {
            report.accept(NAME + " stays as it is: " + e.getMessage());
            return new PageCluster(report, null);
        }
    }

    /** Puts back what agents that were killed have set. */
    static void putBack(Consumer<String> report) {
        try {
            settings().sweep().forEach(report);
        } catch (IOException e) {
            report.accept("settings stay as they are: " + e.getMessage());
        }
    }

    private static SharedSettings settings() {
        return SharedSettings.ofThisMachine();
    }

    /** Null without the launcher, which would have to be started. */
    private static @Nullable Process startWaiting() throws IOException {
        String launcher = System.getProperty("leapnbd.launcher");
        return launcher == null
                ? null
                : new ProcessBuilder("setsid", "sh", "-c", SCRIPT, launcher)
                        .redirectOutput(ProcessBuilder.Redirect.DISCARD)
                        .redirectError(ProcessBuilder.Redirect.INHERIT)
                        .start();
    }

    @Override
    public void close() {
        try {
            settings().release(SharedSettings.thisProcess()).forEach(report);
        } catch (IOException e) {
            report.accept(NAME + " stays as it is: " + e.getMessage());
        }
        if (waiting != null) {
            try (var pipe = waiting.outputWriter()) {
                pipe.write("done\n");
            } catch (IOException e) {
                report.accept("the shell that waits for this process's end is gone: " + e.getMessage());
            }
        }
    }
}
