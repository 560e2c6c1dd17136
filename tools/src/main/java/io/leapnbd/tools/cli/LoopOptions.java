package io.leapnbd.tools.cli;

import io.leapnbd.donor.loop.LoopSettings;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;
import picocli.CommandLine.Spec.Target;

/** How a command's event loops run. */
public final class LoopOptions {

    private static final int MAX_THREADS = 64;

    @Option(names = "--threads", paramLabel = "N", description = "Event loops. Default: one a processor.")
    private @Nullable Integer threads;

    @Option(
            names = "--busy-poll",
            description = "Event loops look for something to do all the time, over RDMA too, instead of being woken:"
                    + " some microseconds faster, and a processor busy for each of them.")
    private boolean busyPoll;

    @Option(
            names = "--pin",
            description = "Keep each event loop on a processor of its own, the first on the first that this process may"
                    + " use. Steadier where processors are few and busy; two processes of one machine that pin share"
                    + " those processors.")
    private boolean pin;

    @Spec(Target.MIXEE)
    private CommandSpec command = CommandSpec.create();

    /** For picocli. */
    public LoopOptions() {}

    /** What was asked for; not more loops by default than may be asked for. */
    public LoopSettings settings() {
        int count = threads == null ? Math.min(Runtime.getRuntime().availableProcessors(), MAX_THREADS) : threads;
        if (count < 1 || count > MAX_THREADS) {
            throw new ParameterException(command.commandLine(), "--threads: " + count + " is not in 1.." + MAX_THREADS);
        }
        return new LoopSettings(count, busyPoll, pin);
    }
}
