package io.leapnbd.tools.attach;

import io.leapnbd.nbd.protocol.Transmission;
import io.leapnbd.tools.cli.CommandFailure;
import io.leapnbd.tools.cli.ExitCode;
import io.leapnbd.tools.linux.Capability;
import io.leapnbd.tools.linux.Errno;
import io.leapnbd.tools.linux.FdChannel;
import io.leapnbd.tools.linux.GenericNetlink;
import io.leapnbd.tools.linux.HostSetting;
import io.leapnbd.tools.linux.LinuxException;
import io.leapnbd.tools.linux.Protection;
import io.leapnbd.tools.linux.SwapArea;
import io.leapnbd.tools.linux.SwapHeader;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.UUID;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * One attached device from the first connection to the last: what is done is pushed on a stack of undoings, and undone
 * from the top when a later step fails.
 */
final class Attachment {
    private static final int PAGE = 4096;
    private static final long CONNECT_LIMIT = TimeUnit.SECONDS.toNanos(10);

    /** A step back; what it cannot do it reports and goes on. */
    private interface Undo {
        void run() throws IOException;
    }

    private final AttachOptions options;
    private final Consumer<String> report;
    private final Consumer<String> ready;
    private final Deque<Undo> undoings = new ArrayDeque<>();
    private @Nullable Path swapping;

    /**
     * An attachment that does nothing yet.
     *
     * @param report where lines for people go
     * @param ready where the one line goes that says that the device is there
     */
    Attachment(AttachOptions options, Consumer<String> report, Consumer<String> ready) {
        this.options = options;
        this.report = report;
        this.ready = ready;
    }

    /** Attaches, stays, and detaches when the process is told to end. */
    void run() throws IOException {
        loadDriver();
        try (NbdDriver driver = NbdDriver.open()
                .orElseThrow(() -> new CommandFailure(
                        ExitCode.NOT_POSSIBLE_HERE,
                        "this kernel has no nbd driver: modprobe nbd, or install the kernel's extra modules"))) {
            try {
                Optional<AttachState> adopted = adoptable(driver);
                if (adopted.isPresent()) {
                    adopt(driver, adopted.get());
                } else {
                    attach(driver);
                }
            } catch (IOException | RuntimeException e) {
                if (swapping != null && SwapArea.on(swapping).isPresent()) {
                    // Disconnecting now would lose the pages. The kernel keeps the device while its connection lasts.
                    throw new CommandFailure(
                            ExitCode.FAILED,
                            swapping + " stays attached with nobody to reconnect it (" + e.getMessage()
                                    + "); run leap-nbd attach --adopt --device " + swapping + ", or leap-nbd detach",
                            e);
                }
                undoAll();
                throw e;
            }
        }
    }

    private void attach(NbdDriver driver) throws IOException {
        Optional<Path> wanted = options.device();
        if (wanted.isPresent()) {
            refuseAttached(wanted.get(), driver);
        }
        List<FdChannel> channels = new ArrayList<>();
        push(() -> channels.forEach(FdChannel::close));
        ExportInfo info = connect(channels);
        SwapOffChild swapOff = protect();
        int index = connect(driver, info, channels);
        Path device = Path.of("/dev/nbd" + index);
        push(() -> driver.disconnect(index));
        AttachState state = AttachState.ofThisProcess(device, options, info);
        push(() -> AttachState.delete(options.directory(), device));
        state.write(options.directory());
        keep(driver, info, device, channels.toArray(FdChannel[]::new), swapOff, options.swap());
    }

    /** Takes over a device whose resident process has died. Its sockets are in the driver only. */
    private void adopt(NbdDriver driver, AttachState before) throws IOException {
        Path device = before.device();
        ExportInfo expected = before.export();
        List<FdChannel> channels = new ArrayList<>();
        push(() -> channels.forEach(FdChannel::close));
        connect(channels).differenceFrom(expected).ifPresent(why -> {
            throw new CommandFailure(ExitCode.FAILED, device + " is not taken over: " + why);
        });
        channels.forEach(FdChannel::close);
        SwapOffChild swapOff = protect();
        swapping = SwapArea.on(device).isPresent() ? device : null;
        push(() -> driver.disconnect(before.index()));
        AttachState state = before.takenOver();
        push(() -> AttachState.delete(options.directory(), device));
        state.write(options.directory());
        keep(driver, expected, device, new FdChannel[before.connections()], swapOff, false);
    }

    private SwapOffChild protect() throws IOException {
        SwapOffChild swapOff = SwapOffChild.start(); // the last fork
        push(swapOff::close);
        for (Protection.Finding finding : Protection.apply(Protection.SWAP_PATH, "attach")) {
            if (!finding.ok()) {
                report.accept("not protected: " + finding);
            }
        }
        applyHostSettings();
        return swapOff;
    }

    private void keep(
            NbdDriver driver,
            ExportInfo info,
            Path device,
            @Nullable FdChannel[] connections,
            SwapOffChild swapOff,
            boolean swap)
            throws IOException {
        try (GenericNetlink events = NbdDriver.events();
                Keeper keeper = new Keeper(
                        options.server(), info, AttachState.indexOf(device), driver, events, connections, report)) {
            keeper.rehearse();
            Ending ending = new Ending(keeper, swapOff, device, report);
            ending.onSignal();
            try {
                if (swap) {
                    startSwapping(device, info);
                    swapping = device;
                }
                ready.accept("ready " + device + " " + options.server().uri());
                if (keeper.run() == Keeper.End.DISCONNECTED) {
                    report.accept(device + " was disconnected by somebody else");
                }
                undoAll();
            } finally {
                ending.finished();
            }
        }
    }

    private void loadDriver() throws IOException {
        if (!Capability.CAP_SYS_ADMIN.held()) {
            throw new CommandFailure(ExitCode.NOT_POSSIBLE_HERE, "attaching needs root (capability CAP_SYS_ADMIN)");
        }
        if (Files.isDirectory(Path.of("/sys/module/nbd"))) {
            return;
        }
        try {
            new ProcessBuilder("/sbin/modprobe", "nbd").inheritIO().start().waitFor();
        } catch (IOException e) {
            report.accept("cannot load the nbd module: " + e.getMessage());
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    private Optional<AttachState> adoptable(NbdDriver driver) throws IOException {
        if (!options.adopt()) {
            return Optional.empty();
        }
        Path device = options.device().orElseThrow();
        AttachState state = AttachState.read(options.directory(), device)
                .orElseThrow(() -> new CommandFailure(
                        ExitCode.FAILED, device + " was not attached by leap-nbd; it cannot be taken over"));
        if (state.isAlive()) {
            throw new CommandFailure(ExitCode.FAILED, device + " is kept connected by process " + state.pid());
        }
        if (!driver.isConfigured(state.index())) {
            throw new CommandFailure(ExitCode.FAILED, device + " is not connected any more; attach it without --adopt");
        }
        return Optional.of(state);
    }

    private void refuseAttached(Path device, NbdDriver driver) throws IOException {
        Optional<AttachState> state = AttachState.read(options.directory(), device);
        boolean configured = driver.isConfigured(AttachState.indexOf(device));
        if (state.isPresent() && state.get().isAlive()) {
            throw new CommandFailure(
                    ExitCode.FAILED,
                    device + " is attached to " + state.get().uri() + " by process "
                            + state.get().pid() + "; leap-nbd detach " + device + " first");
        }
        if (configured) {
            throw new CommandFailure(
                    ExitCode.FAILED,
                    device + " is in use; leap-nbd detach " + device
                            + (state.isPresent()
                                    ? " ends it, leap-nbd attach --adopt --device " + device
                                            + " keeps it connected again"
                                    : " ends it, or choose another device"));
        }
        AttachState.delete(options.directory(), device); // left over from before a reboot or a crash
    }

    private ExportInfo connect(List<FdChannel> channels) throws IOException {
        ExportInfo first = null;
        for (int i = 0; i < options.connections(); i++) {
            Server.Link link;
            try {
                link = options.server().open(System.nanoTime() + CONNECT_LIMIT);
            } catch (IOException e) {
                throw new CommandFailure(
                        ExitCode.UNREACHABLE,
                        "cannot attach to " + options.server().uri() + ": " + e.getMessage(),
                        e);
            }
            channels.add(link.channel());
            first = first == null ? link.info() : first;
            link.info().differenceFrom(first).ifPresent(why -> {
                throw new CommandFailure(ExitCode.FAILED, "two connections reach two different exports: " + why);
            });
            refuseUnfit(first);
        }
        if (first == null) {
            throw new IllegalArgumentException("no connections");
        }
        if (first.content().isEmpty()) {
            report.accept("this server does not name the export's contents: one that comes back without them is not"
                    + " noticed if the size is the same");
        }
        return first;
    }

    private void refuseUnfit(ExportInfo info) {
        if (options.swap() && info.has(Transmission.READ_ONLY)) {
            throw new CommandFailure(ExitCode.FAILED, "the export is read-only: nothing can be swapped to it");
        }
        if (options.connections() > 1 && !info.has(Transmission.CAN_MULTI_CONN)) {
            throw new CommandFailure(
                    ExitCode.FAILED, "the server does not allow several connections: use --connections 1");
        }
    }

    private int connect(NbdDriver driver, ExportInfo info, List<FdChannel> channels) throws IOException {
        NbdDriver.Setup setup = new NbdDriver.Setup(
                info.size() / PAGE * PAGE, PAGE, info.flags(), options.requestTimeout(), options.deadTimeout());
        OptionalInt index = options.device().map(AttachState::indexOf).stream()
                .mapToInt(Integer::intValue)
                .findFirst();
        try {
            return driver.connect(
                    index, setup, channels.stream().map(FdChannel::fd).toList());
        } catch (LinuxException e) {
            String device = index.isPresent() ? "/dev/nbd" + index.getAsInt() : "an nbd device";
            throw new CommandFailure(
                    ExitCode.FAILED,
                    e.errno() == Errno.EBUSY
                            ? device + " is in use; choose another"
                            : "the kernel does not connect " + device + ": " + Errno.describe(e.errno()),
                    e);
        }
    }

    private void applyHostSettings() throws IOException {
        List<HostSetting> needed = HostSetting.forMemory(HostSetting.memoryKib());
        List<HostSetting> settings = new ArrayList<>(options.hostSettings() ? needed : List.of());
        options.pageCluster()
                .ifPresent(pages -> settings.add(
                        new HostSetting("vm.page-cluster", HostSetting.Bound.EXACTLY, pages, "asked for")));
        HostSettings hostSettings = new HostSettings(HostSetting.SYSCTL, options.directory());
        push(() -> hostSettings.restore().forEach(report));
        hostSettings.apply(settings).forEach(report);
        if (!options.hostSettings()) {
            hostSettings.missing(needed).forEach(report);
        }
    }

    private void startSwapping(Path device, ExportInfo info) throws IOException {
        UUID uuid = UUID.randomUUID();
        try {
            SwapHeader.write(device, SwapHeader.encode(info.size(), PAGE, uuid, "leap-nbd"));
            SwapArea.on(device, options.priority(), options.discard() && info.has(Transmission.SEND_TRIM));
        } catch (IOException e) {
            throw new CommandFailure(ExitCode.FAILED, "cannot swap on " + device + ": " + e.getMessage(), e);
        }
    }

    private void push(Undo undo) {
        undoings.push(undo);
    }

    private void undoAll() {
        while (!undoings.isEmpty()) {
            try {
                undoings.pop().run();
            } catch (IOException e) {
                report.accept("while detaching: " + e.getMessage());
            }
        }
    }
}
