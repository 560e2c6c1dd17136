package io.leapnbd.tools.cli;

import io.leapnbd.donor.linux.Processors;
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

    /** Each is good for a hundred thousand requests a second, and takes memory; who has use for more says so. */
    private static final int DEFAULT_MOST = 8;

    @Option(
            names = "--threads",
            paramLabel = "N",
            description = "Event loops, 1 to 64. Default: one a processor, but not more than 8.")
    private @Nullable Integer threads;

    @Option(
            names = "--busy-poll",
            description =
                    "Event loops look for something to do all the time, over RDMA too, instead of being woken:"
                            + " some microseconds faster, and a processor busy for each of them, and of a donor for RDMA one more.")
    private boolean busyPoll;

    @Option(
            names = "--pin",
            description =
                    "Keep each event loop on one processor, the first on the first that this process may use, and so"
                            + " on, and begin again if there are more loops; a donor then serves a link where its packets arrive."
                            + " Steadier where processors are few. Two processes of one machine that pin share the same ones.")
    private boolean pin;

    @Spec(Target.MIXEE)
    private CommandSpec command = CommandSpec.create();

    /** For picocli. */
    public LoopOptions() {}

    /**
     * What was asked for. Processors are counted here and nowhere else: memory follows the loops.
     *
     * @param beside loops that the command runs beside these
     */
    public LoopSettings settings(int beside) {
        int count = threads == null ? Math.min(Runtime.getRuntime().availableProcessors(), DEFAULT_MOST) : threads;
        if (count < 1 || count > MAX_THREADS) {
            throw new ParameterException(command.commandLine(), "--threads: " + count + " is not in 1.." + MAX_THREADS);
        }
        if (pin && busyPoll && count + beside > Processors.allowed().length) {
            throw new ParameterException(
                    command.commandLine(),
                    "--pin, --busy-poll: " + (count + beside) + " loops that never sleep would wait for each other on "
                            + Processors.allowed().length + " processors; give fewer --threads");
        }
        return new LoopSettings(count, busyPoll, pin, 0);
    }
}
