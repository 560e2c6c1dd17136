package io.leapnbd.tools.attach;

import io.leapnbd.tools.cli.CommandFailure;
import io.leapnbd.tools.cli.CommonOptions;
import io.leapnbd.tools.cli.ExitCode;
import io.leapnbd.tools.client.Server;
import io.leapnbd.tools.host.HostLock;
import io.leapnbd.tools.linux.Capability;
import io.leapnbd.tools.linux.Cgroup;
import io.leapnbd.tools.linux.Errno;
import io.leapnbd.tools.linux.Exec;
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
 * {@code leap-nbd detach}: undoes an attach, in order: ends swapping, then tells the resident process to let go, which restores
 * the settings. The resident one should not end swapping itself (see {@link SwapOffChild}), and a JVM should not either: on a
 * small machine its memory is what the pages that come home need. So this one looks whether there is room, and then becomes
 * a shell that does the rest. When the resident process is gone there is more to do than a shell can, and the JVM does it.
 */
@Command(
        name = "detach",
        description = "Stop swapping on a device, which moves all its pages back into memory, and disconnect it.")
public final class DetachCommand implements Callable<Integer> {
    private static final Path SHELL = Path.of("/bin/sh");
    private static final long CHANGES_LIMIT = TimeUnit.SECONDS.toNanos(30);

    /** Its arguments are the device, the resident process, and that one's own cgroup if it has one; waits 30 s for it to end. */
    private static final String FINISH = """
            PATH=$PATH:/usr/sbin:/usr/bin:/sbin:/bin
            die() { echo "leap-nbd detach: $*" >&2; exit 1; }
            if grep -q "^$1[[:space:]]" /proc/swaps; then
              message=$(LC_ALL=C swapoff "$1" 2>&1) ||
                die "cannot stop swapping on $1: ${message##*: }; end some programs and try again; still attached"
            fi
            kill -TERM "$2" 2>/dev/null
            tries=0
            while kill -0 "$2" 2>/dev/null; do
              [ $((tries += 1)) -le 300 ] || die "process $2 does not end; kill it and detach again"
              sleep 0.1
            done
            [ -z "$3" ] || rmdir "$3" 2>/dev/null
            echo "detach: $1 is detached" >&2
            """;

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
        requireRoom(target);
        if (state.isPresent() && state.get().isAlive()) {
            becomeShell(target, state.get().pid());
        }
        Path changes = HostLock.changes(AttachState.DIRECTORY);
        HostLock lock = HostLock.take(changes, System.nanoTime() + CHANGES_LIMIT)
                .orElseThrow(() -> new CommandFailure(
                        ExitCode.FAILED,
                        "process " + HostLock.holder(changes).orElse("?")
                                + " attaches or detaches an export: try again later"));
        try (lock) {
            refuseAdopted(target);
            stopSwapping(target);
            disconnect(target, state.isPresent());
        }
        Cgroup.sweep("attach-");
        say(target + " is detached");
        return ExitCode.OK;
    }

    /** Another attach may have adopted the device while this waited for the lock. */
    private static void refuseAdopted(Path target) throws IOException {
        Optional<AttachState> state = AttachState.read(AttachState.DIRECTORY, target);
        if (state.isPresent() && state.get().isAlive()) {
            throw new CommandFailure(
                    ExitCode.FAILED,
                    "process " + state.get().pid() + " has just begun to keep " + target + " connected: try again");
        }
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

    private void requireRoom(Path target) throws IOException {
        Optional<SwapArea> area = SwapArea.on(target);
        Optional<String> lacking = area.isPresent() ? SwapRoom.withoutThisProcess(target) : Optional.empty();
        if (lacking.isPresent() && !force) {
            throw new CommandFailure(ExitCode.FAILED, lacking.get() + "; still attached");
        }
        area.ifPresent(used -> say("moving " + (used.used() >> 20) + " MiB back into memory"));
    }

    /** Returns only by an exception. */
    private static void becomeShell(Path target, long resident) throws IOException {
        String group = Cgroup.of(resident)
                .map(Cgroup::directory)
                .filter(directory -> String.valueOf(directory.getFileName()).contains("attach-"))
                .map(Path::toString)
                .orElse("");
        Exec.replace(
                SHELL,
                List.of("leap-nbd", "-c", FINISH, "leap-nbd", target.toString(), Long.toString(resident), group));
    }

    private void stopSwapping(Path target) throws IOException {
        if (SwapArea.on(target).isEmpty()) {
            return;
        }
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

    private void disconnect(Path target, boolean ours) throws IOException {
        int index = AttachState.indexOf(target);
        Optional<DeviceIdentity> identity = Optional.empty();
        boolean configured = false;
        Optional<NbdDriver> opened = NbdDriver.open();
        if (opened.isPresent()) {
            try (NbdDriver driver = opened.get()) {
                configured = driver.isConfigured(index);
                if (configured) {
                    Optional<NbdDevice> device = NbdDevice.of(NbdDevice.SYS_BLOCK, index);
                    if (device.isPresent()) {
                        identity = Attached.of(device.get(), AttachState.DIRECTORY, List.of())
                                .known();
                    }
                    driver.disconnect(index);
                }
            }
        }
        if (configured || ours) {
            AttachState.delete(AttachState.DIRECTORY, target);
            new HostSettings(HostSetting.SYSCTL, AttachState.DIRECTORY)
                    .restore()
                    .forEach(this::say);
        }
        if (!configured) {
            throw new CommandFailure(
                    ExitCode.FAILED,
                    target + " is not attached"
                            + (opened.isPresent() ? "" : ": the kernel's nbd driver is not loaded")
                            + (ours ? "; what an earlier attach had left behind is tidied away" : ""));
        }
        identity.ifPresent(this::release);
    }

    /** Wipes the swap header, as the resident process would have done. */
    private void release(DeviceIdentity identity) {
        if (identity.swap().isEmpty()) {
            return;
        }
        try {
            SwapClaim.release(Server.parse(identity.uri()), identity.swap().get());
        } catch (IOException | IllegalArgumentException e) {
            say("the export keeps its swap header (" + e.getMessage()
                    + "): another machine that attaches it has to say --take-over");
        }
    }

    private void say(String line) {
        PrintWriter err = spec.commandLine().getErr();
        err.println("detach: " + line);
        err.flush();
    }
}
