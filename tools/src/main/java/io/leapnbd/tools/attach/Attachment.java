package io.leapnbd.tools.attach;

import io.leapnbd.nbd.protocol.Transmission;
import io.leapnbd.tools.cli.CommandFailure;
import io.leapnbd.tools.cli.ExitCode;
import io.leapnbd.tools.client.ExportInfo;
import io.leapnbd.tools.client.FirstPage;
import io.leapnbd.tools.client.Server;
import io.leapnbd.tools.host.HostLock;
import io.leapnbd.tools.linux.Errno;
import io.leapnbd.tools.linux.FdChannel;
import io.leapnbd.tools.linux.GenericNetlink;
import io.leapnbd.tools.linux.HostSetting;
import io.leapnbd.tools.linux.LinuxException;
import io.leapnbd.tools.linux.Machine;
import io.leapnbd.tools.linux.SwapArea;
import io.leapnbd.tools.push.DevicePush;
import java.io.IOException;
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
 * from the top when a later step fails. It belongs to the thread that calls {@link #run}.
 */
final class Attachment {
    private static final long CONNECT_LIMIT = TimeUnit.SECONDS.toNanos(10);
    private static final long CHANGES_LIMIT = TimeUnit.SECONDS.toNanos(60);

    /** A step back; what it cannot do it reports and goes on. */
    private interface Undo {
        void run() throws IOException;
    }

    private final AttachOptions options;
    private final Consumer<String> report;
    private final Resident resident;
    private final Deque<Undo> undoings = new ArrayDeque<>();
    private String export;
    private @Nullable HostLock changes;
    /** A device that others used before this process was there: not to be disconnected when something fails. */
    private @Nullable Path adopted;

    private @Nullable Path swapping;

    /**
     * An attachment that does nothing yet.
     *
     * @param report where lines for people go
     * @param resident the process that the device lives in
     */
    Attachment(AttachOptions options, Consumer<String> report, Resident resident) {
        this.options = options;
        export = options.server().export();
        this.report = report;
        this.resident = resident;
    }

    /** Attaches, stays, and detaches when the process is told to end. The driver is loaded, see {@link NbdDriver#load}. */
    void run() throws IOException {
        try (NbdDriver driver = NbdDriver.open().orElseThrow(NbdDriver::missing)) {
            try {
                start(driver);
            } catch (IOException | RuntimeException e) {
                if (adopted != null
                        || (swapping != null && SwapArea.on(swapping).isPresent())) {
                    // Disconnecting now would lose the pages. The kernel keeps the device while its connection lasts.
                    throw new CommandFailure(
                            ExitCode.FAILED,
                            (adopted == null ? swapping : adopted) + " stays attached with nobody to reconnect it ("
                                    + e.getMessage() + "); run the same command again, or leap-nbd detach",
                            e);
                }
                undoAll();
                throw e;
            }
        }
    }

    private void start(NbdDriver driver) throws IOException {
        List<FdChannel> channels = new ArrayList<>();
        push(() -> channels.forEach(FdChannel::close));
        ExportInfo info;
        try {
            info = connect(channels);
        } catch (IOException e) {
            channels.forEach(FdChannel::close);
            adoptWithoutServer(driver, e);
            return;
        }
        lockExport(info.content().orElse(""));
        lockChanges();
        AttachPlan.Page page = SwapClaim.look(channels.getFirst());
        List<SwapArea> swaps = SwapArea.inUse();
        AttachPlan.Wish wish = new AttachPlan.Wish(
                exportWords(),
                options.server(),
                info,
                options.device(),
                options.swap(),
                options.adopt(),
                options.takeOver());
        List<Attached> devices = Attached.all(NbdDevice.SYS_BLOCK, options.directory(), swaps);
        switch (AttachPlan.decide(wish, devices, swaps, page, Machine.here())) {
            case AttachPlan.Refuse refuse -> throw new CommandFailure(ExitCode.FAILED, refuse.why());
            case AttachPlan.Adopt adopt -> {
                channels.forEach(FdChannel::close);
                adopt(driver, adopt.attached(), adopt.startSwapping());
            }
            case AttachPlan.SetUp setUp -> setUp(driver, info, channels, page);
        }
    }

    /** A device whose resident process has died waits for its server: somebody has to be there when it comes back. */
    private void adoptWithoutServer(NbdDriver driver, IOException problem) throws IOException {
        lockChanges();
        Optional<Attached> orphan = orphan();
        if (orphan.isEmpty()) {
            throw new CommandFailure(
                    ExitCode.UNREACHABLE,
                    "cannot attach to " + options.server().uri() + ": " + problem.getMessage(),
                    problem);
        }
        report.accept("no server: " + problem.getMessage() + "; " + orphan.get().path() + " is kept until it is back");
        lockExport(orphan.get().known().map(DeviceIdentity::content).orElse(""));
        adopt(driver, orphan.get(), false);
    }

    /** The device of this URI that nobody keeps connected. */
    private Optional<Attached> orphan() throws IOException {
        List<Attached> mine = Attached.all(NbdDevice.SYS_BLOCK, options.directory(), SwapArea.inUse()).stream()
                .filter(device -> device.known()
                        .filter(known -> options.server().isAt(known.uri()))
                        .isPresent())
                .filter(device -> options.device()
                        .filter(wanted -> !wanted.equals(device.path()))
                        .isEmpty())
                .toList();
        return mine.size() == 1
                        && mine.getFirst().resident().isEmpty()
                        && mine.getFirst().swapping() == options.swap()
                ? Optional.of(mine.getFirst())
                : Optional.empty();
    }

    private String exportWords() {
        return (export.isEmpty() ? "the default export" : "export '" + export + "'") + " of "
                + options.server().uri();
    }

    /** Of two processes that attach one export at the same time, the second is told so. */
    private void lockExport(String content) throws IOException {
        Path file = HostLock.export(
                options.directory(), content.isEmpty() ? options.server().uri() : content);
        HostLock lock = HostLock.tryTake(file)
                .orElseThrow(() -> new CommandFailure(
                        ExitCode.FAILED,
                        exportWords() + " is attached, or being attached, by another process of this machine"
                                + HostLock.holder(file).map(pid -> ", " + pid).orElse("")));
        push(lock::close);
    }

    /** Until it swaps: whoever attaches meanwhile, whichever export, has to see what we see. */
    private void lockChanges() throws IOException {
        Path file = HostLock.changes(options.directory());
        HostLock lock = HostLock.take(file, System.nanoTime() + CHANGES_LIMIT)
                .orElseThrow(() -> new CommandFailure(
                        ExitCode.FAILED,
                        "another process of this machine"
                                + HostLock.holder(file)
                                        .map(pid -> ", " + pid + ",")
                                        .orElse("")
                                + " attaches or detaches an export and does not come to an end"));
        push(lock::close);
        changes = lock;
    }

    private void setUp(NbdDriver driver, ExportInfo info, List<FdChannel> channels, AttachPlan.Page page)
            throws IOException {
        Optional<UUID> swap = options.swap() ? Optional.of(UUID.randomUUID()) : Optional.empty();
        SwapClaim claim = null;
        if (swap.isPresent()) {
            push(() -> release(swap.get()));
            claim = SwapClaim.take(channels.getFirst(), page, info.size(), swap.get());
        }
        SwapOffChild swapOff = protect();
        if (claim != null) {
            claim.confirm();
        }
        DeviceIdentity identity = new DeviceIdentity(
                info.content().orElse(""), swap, info.flags(), options.server().uri());
        int index = connect(driver, info, channels, identity.text());
        push(() -> driver.disconnect(index));
        NbdDevice device = remember(index, identity);
        keep(driver, info, device, channels.toArray(FdChannel[]::new), swapOff, swap.isPresent());
    }

    /** Keeps a device connected whose resident process has died. Its sockets are in the driver only. */
    private void adopt(NbdDriver driver, Attached attached, boolean startSwapping) throws IOException {
        NbdDevice device = attached.device();
        DeviceIdentity known = attached.known().orElseThrow();
        driver.adopt(device.backend());
        adopted = device.path();
        SwapOffChild swapOff = protect();
        swapping = attached.swapping() ? device.path() : null;
        known.swap().ifPresent(uuid -> push(() -> release(uuid)));
        push(() -> driver.disconnect(device.index()));
        DeviceIdentity identity = new DeviceIdentity(
                known.content(), known.swap(), known.flags(), options.server().uri());
        remember(device.index(), identity);
        keep(driver, attached.export(), device, new FdChannel[device.connections()], swapOff, startSwapping);
    }

    private NbdDevice remember(int index, DeviceIdentity identity) throws IOException {
        NbdDevice device = NbdDevice.of(NbdDevice.SYS_BLOCK, index)
                .orElseThrow(() -> new IOException("the kernel does not show /dev/nbd" + index + " as connected"));
        push(() -> AttachState.delete(options.directory(), device.path()));
        AttachState.ofThisProcess(device, identity).write(options.directory());
        return device;
    }

    /** Lets go of the export, unless somebody has disconnected the device while it was in use. */
    private void release(UUID uuid) {
        try {
            if (swapping != null && SwapArea.on(swapping).isPresent()) {
                return;
            }
            SwapClaim.release(options.server(), uuid);
        } catch (IOException e) {
            report.accept("the export keeps its swap header (" + e.getMessage()
                    + "): another machine that attaches it has to say --take-over");
        }
    }

    private SwapOffChild protect() throws IOException {
        SwapOffChild swapOff = resident.protect();
        push(swapOff::close);
        applyHostSettings();
        return swapOff;
    }

    private void keep(
            NbdDriver driver,
            ExportInfo info,
            NbdDevice attached,
            @Nullable FdChannel[] connections,
            SwapOffChild swapOff,
            boolean swap)
            throws IOException {
        Path device = attached.path();
        try (GenericNetlink events = NbdDriver.events();
                Keeper keeper =
                        new Keeper(options.server(), info, attached.index(), driver, events, connections, report)) {
            Ending ending = new Ending(keeper, swapOff, device, report);
            resident.begins(ending);
            try {
                if (adopted == null) {
                    keeper.rehearse();
                } else {
                    keeper.restore(); // the server that died may have been this very process's predecessor
                }
                if (swap) {
                    ending.unlessBegun(() -> {
                        startSwapping(device, info);
                        swapping = device;
                    });
                }
                if (changes != null) {
                    changes.close();
                }
                startPushing(device);
                resident.ready(new Resident.Device(device, options.server(), export, adopted != null), keeper::turns);
                if (keeper.run() == Keeper.End.DISCONNECTED) {
                    report.accept(device + " was disconnected by somebody else");
                }
                undoAll();
            } finally {
                ending.finished();
            }
        }
    }

    private ExportInfo connect(List<FdChannel> channels) throws IOException {
        ExportInfo first = null;
        for (int i = 0; i < options.connections(); i++) {
            Server.Link link = options.server().open(System.nanoTime() + CONNECT_LIMIT);
            channels.add(link.channel());
            export = link.name().replaceAll("\\p{Cntrl}", "?");
            first = first == null ? link.info() : first;
            link.info().differenceFrom(first).ifPresent(why -> {
                throw new CommandFailure(ExitCode.FAILED, "two connections reach two different exports: " + why);
            });
            refuseUnfit(first);
        }
        if (first == null) {
            throw new IllegalArgumentException("no connections");
        }
        options.server().exposure().ifPresent(report);
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

    private int connect(NbdDriver driver, ExportInfo info, List<FdChannel> channels, String backend)
            throws IOException {
        NbdDriver.Setup setup = new NbdDriver.Setup(
                info.size(), FirstPage.SIZE, info.flags(), options.requestTimeout(), options.deadTimeout(), backend);
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

    /** Where it is not possible, the device is attached all the same: pushing is a hint. */
    private void startPushing(Path device) {
        if (options.push()) {
            try {
                DevicePush pushing = DevicePush.start(
                        device, options.server(), options.pushHttp().orElse(null), resident.hasRunFile(), report);
                push(pushing::close);
            } catch (IOException | RuntimeException e) {
                // Whatever it is, like an address that is in use: the kernel swaps on the device by now.
                report.accept("nothing is pushed: " + e.getMessage() + "; 'leap-nbd doctor push' says what is missing");
            }
        }
    }

    private void startSwapping(Path device, ExportInfo info) throws IOException {
        try {
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
