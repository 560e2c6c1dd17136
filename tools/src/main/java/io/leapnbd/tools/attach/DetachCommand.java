package io.leapnbd.tools.attach;

import io.leapnbd.tools.cli.CommandFailure;
import io.leapnbd.tools.cli.CommonOptions;
import io.leapnbd.tools.cli.ExitCode;
import io.leapnbd.tools.linux.Capability;
import io.leapnbd.tools.linux.Cgroup;
import io.leapnbd.tools.linux.Errno;
import io.leapnbd.tools.linux.HostSetting;
import io.leapnbd.tools.linux.LinuxException;
import io.leapnbd.tools.linux.SwapArea;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.Callable;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/**
 * {@code leap-nbd detach}: undoes an attach, in order. This process ends swapping itself (see {@link SwapOffChild} for
 * why the resident one should not), then tells the resident process to let go, or does what that one would have done
 * when it is gone.
 */
@Command(
        name = "detach",
        description = "Stop swapping on a device, which moves all its pages back into memory, and disconnect it.")
public final class DetachCommand implements Callable<Integer> {
    private static final long END_LIMIT = TimeUnit.SECONDS.toNanos(30);

    @Spec
    private CommandSpec spec = CommandSpec.create();

    @Mixin
    @SuppressWarnings("UnusedVariable") // picocli and the error handler act on it
    private CommonOptions common = new CommonOptions();

    @Parameters(
            arity = "0..1",
            paramLabel = "/dev/nbdN",
            description = "The device. May be left out when only one is attached.")
    private @Nullable Path device;

    @Option(names = "--force", description = "Try also when the pages do not seem to fit into memory.")
    private boolean force;

    /** For picocli. */
    public DetachCommand() {}

    @Override
    public Integer call() throws IOException {
        if (!Capability.CAP_SYS_ADMIN.held()) {
            throw new CommandFailure(ExitCode.NOT_POSSIBLE_HERE, "detaching needs root (capability CAP_SYS_ADMIN)");
        }
        Path target = device == null ? onlyOne() : device;
        try {
            AttachState.indexOf(target);
        } catch (IllegalArgumentException e) {
            throw new ParameterException(spec.commandLine(), String.valueOf(e.getMessage()), e);
        }
        Optional<AttachState> state = AttachState.read(AttachState.DIRECTORY, target);
        stopSwapping(target);
        if (state.isPresent() && state.get().isAlive()) {
            endResident(state.get());
        } else {
            disconnect(target, state.isPresent());
        }
        Cgroup.sweep("attach-");
        say(target + " is detached");
        return ExitCode.OK;
    }

    private static Path onlyOne() throws IOException {
        List<AttachState> states = AttachState.readAll(AttachState.DIRECTORY);
        if (states.size() == 1) {
            return states.getFirst().device();
        }
        List<String> names = new ArrayList<>();
        states.forEach(state -> names.add(state.device().toString()));
        throw new CommandFailure(
                states.isEmpty() ? ExitCode.FAILED : ExitCode.USAGE,
                states.isEmpty()
                        ? "nothing is attached; name a device to disconnect it all the same"
                        : "name the device: " + String.join(", ", names));
    }

    private void stopSwapping(Path target) throws IOException {
        Optional<SwapArea> area = SwapArea.on(target);
        if (area.isEmpty()) {
            return;
        }
        Optional<String> lacking = SwapRoom.lacking(target);
        if (lacking.isPresent() && !force) {
            throw new CommandFailure(ExitCode.FAILED, lacking.get() + "; still attached");
        }
        say("moving " + (area.get().used() >> 20) + " MiB back into memory");
        try {
            SwapArea.off(target);
        } catch (LinuxException e) {
            throw new CommandFailure(
                    ExitCode.FAILED,
                    e.errno() == Errno.ENOMEM
                            ? "not enough memory for the pages of " + target
                                    + ": end some programs first; still attached"
                            : "cannot stop swapping on " + target + ": " + Errno.describe(e.errno())
                                    + "; still attached",
                    e);
        }
    }

    private static void endResident(AttachState state) throws IOException {
        Optional<ProcessHandle> resident = ProcessHandle.of(state.pid());
        resident.ifPresent(ProcessHandle::destroy);
        long deadline = System.nanoTime() + END_LIMIT;
        while (state.isAlive()) {
            if (System.nanoTime() - deadline > 0) {
                throw new CommandFailure(
                        ExitCode.FAILED, "process " + state.pid() + " does not end; kill it and detach again");
            }
            try {
                Thread.sleep(50);
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
                throw new CommandFailure(ExitCode.INTERRUPTED, "interrupted; swapping is stopped", e);
            }
        }
    }

    private void disconnect(Path target, boolean ours) throws IOException {
        Optional<NbdDriver> opened = NbdDriver.open();
        if (opened.isPresent()) {
            try (NbdDriver driver = opened.get()) {
                int index = AttachState.indexOf(target);
                boolean configured = driver.isConfigured(index);
                if (!configured && !ours) {
                    throw new CommandFailure(ExitCode.FAILED, target + " is not attached");
                }
                if (configured) {
                    driver.disconnect(index);
                }
            }
        }
        AttachState.delete(AttachState.DIRECTORY, target);
        new HostSettings(HostSetting.SYSCTL, AttachState.DIRECTORY).restore().forEach(this::say);
    }

    private void say(String line) {
        PrintWriter err = spec.commandLine().getErr();
        err.println("detach: " + line);
        err.flush();
    }
}
