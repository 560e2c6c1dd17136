package io.leapnbd.tools.serve;

import io.leapnbd.bypass.link.NoAnswerException;
import io.leapnbd.bypass.link.UnnamedDonorException;
import io.leapnbd.bypass.map.DeviceNeed;
import io.leapnbd.donor.protocol.Protocol;
import io.leapnbd.tools.attach.SwapDevice;
import io.leapnbd.tools.cli.CommandFailure;
import io.leapnbd.tools.cli.DonorAddress;
import io.leapnbd.tools.cli.Exit;
import io.leapnbd.tools.cli.ExitCode;
import io.leapnbd.tools.cli.Size;
import io.leapnbd.tools.config.Reload;
import io.leapnbd.tools.linux.Hangup;
import io.leapnbd.tools.linux.NativeHeap;
import io.leapnbd.tools.linux.Protection;
import io.leapnbd.tools.memory.FittingHeap;
import io.leapnbd.tools.memory.HeapNeed;
import io.leapnbd.tools.pool.PoolFolder;
import io.leapnbd.tools.registry.DonorWishes;
import io.leapnbd.tools.service.ServiceNotice;
import java.io.IOException;
import java.io.PrintWriter;
import java.time.Duration;
import java.util.List;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.TypeConversionException;

/**
 * The process of {@code serve}, from the heap that it needs to its end: a server and, if this machine swaps on it, its device.
 *
 * <p>How it ends depends on what the device's pages need. A signal to end brings them home first, while the server still serves. Who asks
 * it to make room for its successor (SIGUSR1), and a server that has lost the export, leave the device to the next one.
 */
final class ServeProcess {

    private static final Logger log = LoggerFactory.getLogger(ServeProcess.class);

    /** What the compilers were seen to use at once while a server warms up. */
    private static final long COMPILERS_MEMORY = 6L << 20;

    /** Donors that a registry may name later. */
    private static final int USUAL_POOL = 8;

    /** How long a service manager lets it close what is open. */
    private static final Duration CLOSING = Duration.ofSeconds(30);

    private final CommandSpec spec;
    private final List<String> typed;
    private final Reload reload;
    private final @Nullable SwapDevice device;
    private final @Nullable RegistryFeed feed;
    private volatile boolean leavesDevice;

    /**
     * This process.
     *
     * @param spec of the command, for what it prints
     * @param typed its command line, to start it anew
     * @param reload reads its settings again
     * @param device that this machine swaps on; null if it does not
     * @param feed names its donors; null if they were named
     */
    ServeProcess(
            CommandSpec spec,
            List<String> typed,
            Reload reload,
            @Nullable SwapDevice device,
            @Nullable RegistryFeed feed) {
        this.feed = feed;
        this.spec = spec;
        this.typed = typed;
        this.reload = reload;
        this.device = device;
    }

    /**
     * Serves until it is told to end.
     *
     * @return what the process exits with
     * @throws CommandFailure if it cannot serve
     */
    int run(ServerSettings asked, boolean unprotected) {
        // As large as slabs usually are; what they are is known when donors have been asked.
        fitHeap(asked, DeviceNeed.slabs(asked.size(), Protocol.DEFAULT_SLAB_SIZE));
        prepareDevice();
        ServerSettings settings = unprotected ? asked : protectedBy(asked);
        LeapServer server = open(settings);
        ServiceNotice notice = ServiceNotice.here();
        String export = settings.export();
        Exit exit = new Exit(() -> {
            if (device != null && !leavesDevice) {
                device.end(notice);
            }
            notice.stopping("ends; export '" + export + "' keeps its pages", CLOSING);
            server.close();
        });
        PrintWriter err = spec.commandLine().getErr();
        String soon = PoolFolder.endsSoon(server.linkTls());
        if (soon != null) {
            err.println(spec.qualifiedName() + ": " + soon);
        }
        settings.unprotected().forEach(lack -> err.println(spec.qualifiedName() + ": " + lack));
        server.onEnd(donor -> leave(exit, ExitCode.FAILED));
        Hangup.then(() -> {
            server.reopenFiles();
            reload.runAndTell();
        });
        String swapsOn = attach(server, exit);
        collectGarbageOfTheStart();
        spec.commandLine()
                .getOut()
                .println("ready " + String.join(" ", server.uris())
                        + (settings.isInsecure() ? " insecure" : "")
                        + swapsOn);
        notice.ready(
                "serves export '" + export + "', " + new Size(settings.size()) + ", at "
                        + server.uris().getFirst() + swapsOn,
                nanos -> server.respond(nanos) && (device == null || device.beats(nanos)));
        return exit.await();
    }

    /** Ends the process and leaves the device as it is: the kernel's requests wait for the next server of the export. */
    private void leave(Exit exit, int code) {
        leavesDevice = true;
        exit.request(code);
    }

    private void prepareDevice() {
        if (device == null) {
            return;
        }
        try {
            device.prepare();
        } catch (IOException e) {
            throw new CommandFailure(ExitCode.FAILED, "--swap: " + e.getMessage(), e);
        }
    }

    /** Before the loops' threads are started, which inherit it. */
    private static ServerSettings protectedBy(ServerSettings settings) {
        NativeHeap.touch(COMPILERS_MEMORY);
        return settings.withUnprotected(Protection.apply(Protection.SWAP_PATH, "serve").stream()
                .filter(finding -> !finding.ok())
                .map(finding -> "not protected: " + finding)
                .toList());
    }

    private LeapServer open(ServerSettings settings) {
        try {
            return openNamed(settings);
        } catch (IllegalArgumentException e) {
            throw new ParameterException(spec.commandLine(), String.valueOf(e.getMessage()), e);
        } catch (DeviceNeed.HeapTooSmall e) {
            if (device != null) {
                device.abandon();
            }
            fitHeap(settings, e.slabs());
            throw new CommandFailure(ExitCode.FAILED, String.valueOf(e.getMessage()), e);
        } catch (NoAnswerException e) {
            throw new CommandFailure(ExitCode.UNREACHABLE, String.valueOf(e.getMessage()), e);
        } catch (IOException e) {
            throw new CommandFailure(ExitCode.FAILED, String.valueOf(e.getMessage()), e);
        }
    }

    /** Opens it. Where a registry names the donors, whoever has to be heard is named by the state file and the donors too. */
    private LeapServer openNamed(ServerSettings settings) throws IOException {
        ServerSettings tried = settings;
        while (true) {
            try {
                return LeapServer.open(tried, reload, feed);
            } catch (UnnamedDonorException e) {
                List<DonorAddress> more = feed == null ? List.of() : named(e);
                List<DonorAddress> all = DonorWishes.join(tried.donors(), more);
                if (all.size() == tried.donors().size()) {
                    throw e;
                }
                log.info("donor {} may hold pages, and no registry names it; it is asked too", e.address());
                reload.forget();
                tried = tried.withDonors(all);
            }
        }
    }

    private static List<DonorAddress> named(UnnamedDonorException e) {
        try {
            return DonorAddress.parseList(e.address());
        } catch (TypeConversionException _) {
            return List.of();
        }
    }

    /** Attaches the device, if there is to be one; returns what is added to lines for people. */
    private String attach(LeapServer server, Exit exit) {
        if (device == null) {
            return "";
        }
        Hangup.onUser(() -> leave(exit, ExitCode.OK));
        try {
            return " swap=" + device.attach(server.uris().getFirst(), code -> leave(exit, code));
        } catch (IOException e) {
            server.close();
            throw new CommandFailure(ExitCode.FAILED, "--swap: " + e.getMessage(), e);
        } catch (CommandFailure e) {
            server.close();
            throw new CommandFailure(e.exitCode(), "--swap: " + e.getMessage(), e);
        }
    }

    /**
     * Nothing of a start is needed later. And a full collection is rare from here on, so its code is brought into memory, where it
     * stays ({@link Protection.Measure#LOCKED}), while there is memory.
     */
    private static void collectGarbageOfTheStart() {
        System.gc();
    }

    /** Starts this process anew with the heap that it needs, if it has less. */
    private void fitHeap(ServerSettings settings, long slabs) {
        int loops = settings.loops().count();
        var file = settings.copies().spill();
        int donors = Math.max(feed == null ? 1 : USUAL_POOL, settings.donors().size()) + (file == null ? 0 : 1);
        long spilled = file == null ? 0 : HeapNeed.spill(file.size() / Protocol.DEFAULT_SLAB_SIZE + 1);
        long pages = settings.prefetch().cacheLimit() / Protocol.PAGE_SIZE;
        FittingHeap.require(
                loops + " event loops with links to " + donors + " donors, a device of " + slabs
                        + " slabs and a cache of "
                        + Size.format(settings.prefetch().cacheLimit()),
                HeapNeed.server(
                                loops,
                                donors,
                                slabs,
                                Math.max(
                                        settings.copies().replicas(),
                                        settings.copies().most()),
                                pages)
                        + (settings.links().pool() == null ? 0 : HeapNeed.POOL)
                        + (feed == null ? 0 : HeapNeed.REGISTRY)
                        + (device != null && device.pushes() ? HeapNeed.PUSH : 0)
                        + spilled,
                typed);
    }
}
