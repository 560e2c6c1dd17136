package io.leapnbd.tools.memory;

import io.leapnbd.tools.cli.CommandFailure;
import io.leapnbd.tools.cli.ExitCode;
import io.leapnbd.tools.cli.Size;
import io.leapnbd.tools.linux.Exec;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/**
 * Sees to it that this process has the heap that its command line asks for, before anything is created. The JVM's heap is fixed when it
 * starts, and how much is needed is known only when options are read and processors are counted: so a process whose heap is too
 * small starts itself anew through the launcher, once, with the heap that it needs. It keeps its process id, its files and what
 * it inherited. Where that cannot be, for want of memory or of a launcher, the command is refused in one sentence.
 */
public final class FittingHeap {

    /** MiB of heap that the launcher is to give; whoever finds it set has been started anew. */
    private static final String VARIABLE = "LEAP_NBD_HEAP";

    private static final String LAUNCHER = "leapnbd.launcher";
    private static final long MIB = 1L << 20;

    /** All of it would be locked in memory, to keep account of slabs that could as well be larger. */
    private static final long MOST = 2L << 30;

    private FittingHeap() {}

    /**
     * Returns if the heap suffices, else starts this process anew, and then does not return.
     *
     * @param what needs so much, like {@code --threads 64}
     * @param needed bytes of heap
     * @param arguments of the command line, the command first
     * @throws CommandFailure if so much cannot be had
     */
    public static void require(String what, long needed, List<String> arguments) {
        long heap = Runtime.getRuntime().maxMemory();
        // The collector keeps one of the two halves of the young generation's survivors empty, and does not count it.
        if (needed <= heap + heap / 16) {
            return;
        }
        String needs = what + " take about " + Size.approximate(needed) + " of the JVM's heap";
        if (needed > MOST) {
            throw new CommandFailure(
                    ExitCode.USAGE,
                    needs + ", and more than " + Size.approximate(MOST)
                            + " are not given to that; ask for less, or for larger slabs");
        }
        MachineMemory.now().checkOwn(needs, needed);
        String launcher = System.getProperty(LAUNCHER);
        if (launcher == null || System.getenv(VARIABLE) != null) {
            throw new CommandFailure(
                    ExitCode.USAGE,
                    needs + ", and it has " + Size.approximate(heap)
                            + "; make that larger, like LEAP_NBD_JAVA_OPTS='-Xms" + mebibytes(needed) + "m -Xmx"
                            + mebibytes(needed) + "m', or ask for less");
        }
        startAnew(launcher, needed, arguments);
    }

    private static void startAnew(String launcher, long needed, List<String> arguments) {
        List<String> command =
                new ArrayList<>(List.of("env", VARIABLE + "=" + mebibytes(needed), "LEAP_NBD_BUILD=no", launcher));
        command.addAll(arguments);
        try {
            String search = System.getenv().getOrDefault("PATH", "/usr/bin:/bin");
            Path env = Exec.find("env", search).orElseThrow(() -> new IOException("there is no 'env' in " + search));
            Exec.replace(env, command);
        } catch (IOException e) {
            throw new CommandFailure(
                    ExitCode.FAILED,
                    "a JVM with more heap cannot be started (" + e.getMessage() + "); set " + VARIABLE + "="
                            + mebibytes(needed),
                    e);
        }
    }

    private static long mebibytes(long bytes) {
        return Math.ceilDiv(bytes, MIB);
    }
}
