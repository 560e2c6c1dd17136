package io.leapnbd.tools.donor;

import io.leapnbd.bypass.link.DonorAddress.Transport;
import io.leapnbd.donor.loop.LoopSettings;
import io.leapnbd.donor.protocol.Protocol;
import io.leapnbd.donor.store.OwnerLimits;
import io.leapnbd.donor.store.StoreSettings;
import io.leapnbd.donor.tls.LinkProtection;
import io.leapnbd.donor.tls.Role;
import io.leapnbd.donor.verbs.VerbsException;
import io.leapnbd.tools.cli.CommandFailure;
import io.leapnbd.tools.cli.DonorAddress;
import io.leapnbd.tools.cli.Durations;
import io.leapnbd.tools.cli.Exit;
import io.leapnbd.tools.cli.ExitCode;
import io.leapnbd.tools.cli.HostPort;
import io.leapnbd.tools.cli.LogOptions;
import io.leapnbd.tools.cli.LoopOptions;
import io.leapnbd.tools.cli.Size;
import io.leapnbd.tools.config.ConfigOptions;
import io.leapnbd.tools.config.Configurable;
import io.leapnbd.tools.config.Reload;
import io.leapnbd.tools.http.EndpointAccessOptions;
import io.leapnbd.tools.http.EndpointAddress;
import io.leapnbd.tools.http.EndpointOptions;
import io.leapnbd.tools.linux.Hangup;
import io.leapnbd.tools.linux.Protection;
import io.leapnbd.tools.memory.FittingHeap;
import io.leapnbd.tools.memory.HeapNeed;
import io.leapnbd.tools.memory.MachineMemory;
import io.leapnbd.tools.pool.PoolFolder;
import io.leapnbd.tools.pool.PoolOptions;
import io.leapnbd.tools.pool.ProtectionConverter;
import io.leapnbd.tools.registry.DonorSource;
import io.leapnbd.tools.registry.RegistryOptions;
import io.leapnbd.tools.service.ServiceNotice;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.Callable;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;
import picocli.CommandLine.TypeConversionException;

/** {@code leap-nbd donor}. */
@Command(
        name = "donor",
        sortOptions = false,
        description = {
            "Lends this machine's memory to servers.",
            "",
            "Prints one line that begins with 'ready' and names its address when it accepts connections.",
            "",
            "SIGTERM or SIGINT ends it in good order: it asks its servers for all slabs back, and they move them to other donors"
                    + " that have room. What is still here when --drain-timeout is over, or at a second signal, is lost, unless"
                    + " another donor has a copy; the log says how much that is.",
            "",
            "Without --pool it listens on this machine only, since whoever reaches it can use the memory and read what is in"
                    + " it. With --pool it serves servers of the pool alone, and each export is its server's own.",
            ""
        })
public final class DonorCommand implements Callable<Integer>, Configurable {

    /** What can change while it runs. */
    private static final Set<String> LIVE = Set.of("keep-free", "per-owner", "owners");

    private static final Duration LONGEST_LEASE = Duration.ofDays(365);
    private static final Duration LONGEST_DRAIN = Duration.ofDays(1);

    @Option(
            names = "--memory",
            paramLabel = "SIZE",
            converter = Size.Converter.class,
            description = "How much to lend, like 8G; taken from the machine as servers ask for it.")
    private @Nullable Size memory;

    @Option(
            names = "--listen",
            paramLabel = "HOST:PORT",
            defaultValue = "127.0.0.1:" + Protocol.DEFAULT_PORT,
            converter = HostPort.ListenConverter.class,
            description = "Where servers connect. Default: ${DEFAULT-VALUE}.")
    private HostPort listen = new HostPort("127.0.0.1", Protocol.DEFAULT_PORT);

    @Mixin
    private PoolOptions pool = new PoolOptions();

    @Option(
            names = "--link-security",
            paramLabel = "MODE",
            defaultValue = "auth",
            converter = ProtectionConverter.class,
            description =
                    "The least that links of --pool have to be over TCP. auth: servers may ask for frames in clear with tags"
                            + " (serve --link-security). tls: they are refused. Default: ${DEFAULT-VALUE}.")
    private LinkProtection linkSecurity = LinkProtection.AUTH;

    @Option(
            names = "--slab-size",
            paramLabel = "SIZE",
            defaultValue = "64M",
            converter = Size.Converter.class,
            description = "What is lent at a time: a power of two from 1M to 1G, the same at all donors of a server."
                    + " Default: ${DEFAULT-VALUE}.")
    private Size slabSize = new Size(Protocol.DEFAULT_SLAB_SIZE);

    @Option(
            names = "--lease",
            paramLabel = "TIME",
            defaultValue = "10m",
            converter = Durations.Converter.class,
            description = "How long to keep pages of a server that has gone. Default: ${DEFAULT-VALUE}.")
    private Duration lease = StoreSettings.DEFAULT_LEASE;

    @Option(
            names = "--drain-timeout",
            paramLabel = "TIME",
            defaultValue = "60s",
            converter = Durations.Converter.class,
            description = "How long to wait for slabs to be moved elsewhere when it is told to end; 0s ends it at once."
                    + " Default: ${DEFAULT-VALUE}.")
    private Duration drainTimeout = Duration.ofSeconds(60);

    @Option(
            names = "--keep-free",
            paramLabel = "SIZE",
            converter = Size.Converter.class,
            description =
                    "Memory to leave to this machine's other programs, like 2G. When less is available nothing more is"
                            + " lent, and servers are asked for slabs back; when there is more, it lends again. Default: --memory"
                            + " is lent whatever others need.")
    private @Nullable Size keepFree;

    @Option(names = "--meminfo", hidden = true, description = "A file like /proc/meminfo, for tests.")
    private Path meminfo = MemoryWatch.MEMINFO;

    @Option(
            names = "--transport",
            paramLabel = "NAME",
            defaultValue = "tcp",
            description = "tcp; rdma, where servers read pages without this machine's processors; or both, at the same"
                    + " address. Default: ${DEFAULT-VALUE}.")
    private String transport = "tcp";

    @Option(
            names = "--http",
            paramLabel = "HOST:PORT",
            description =
                    "Where /metrics, /status, /security, /healthz and /readyz are answered; none turns it off. Default: "
                            + EndpointOptions.DONOR_DEFAULT + ", or another free port if that is taken.")
    private @Nullable String http;

    @Mixin
    private EndpointAccessOptions httpAccess = new EndpointAccessOptions();

    @Option(
            names = "--per-owner",
            paramLabel = "SIZE",
            converter = Size.Converter.class,
            description =
                    "The most that all exports of one owner may hold here together, like 8G. An owner is a server of the"
                            + " pool, by its name, or whoever has one address. Default: all of --memory.")
    private @Nullable Size perOwner;

    @Option(
            names = "--owners",
            paramLabel = "FILE",
            description =
                    "Other limits for some owners: lines like 'web1 16G', with the name of a server in the pool, or"
                            + " anonymous@10.0.0.3 for an address; # begins a comment. Who is not named has --per-owner. It is read at the start, and by 'leap-nbd"
                            + " reload'.")
    private @Nullable Path owners;

    @Option(
            names = "--registry",
            paramLabel = "ETCD",
            description =
                    "Register in an etcd, so that servers with 'serve --donors' of the same name use this donor, and leave it"
                            + " when it ends: etcd://host:port,host:port/POOL.")
    private @Nullable String registry;

    @Option(
            names = "--advertise",
            paramLabel = "HOST:PORT",
            description =
                    "Where servers are to connect, as they are told by --registry. Default: --listen; this machine's host name, if"
                            + " that is every address.")
    private @Nullable String advertise;

    @Option(
            names = "--zone",
            paramLabel = "NAME",
            description =
                    "What counts as one machine for copies of a page, like a rack; servers are told by --registry."
                            + " Default: the host of --advertise.")
    private @Nullable String zone;

    @Mixin
    private RegistryOptions registryAccess = new RegistryOptions();

    @Mixin
    private ConfigOptions config = new ConfigOptions();

    @Mixin
    @SuppressWarnings("UnusedVariable") // acted on before the command runs
    private LogOptions logging = new LogOptions();

    @Mixin
    private LoopOptions loops = new LoopOptions();

    @Option(names = "--no-lock", description = "Let this machine swap out what it lends.")
    private boolean noLock;

    @Option(
            names = "--unprotected",
            description = "Do not lock this process in memory, nor spare it from the OOM killer; implies --no-lock.")
    private boolean unprotected;

    @Option(
            names = "--overcommit",
            hidden = true,
            description =
                    "Promise more memory than there is, to measure servers of large devices; not for pages of worth. Slabs"
                            + " take memory as they are written, page by page.")
    private boolean overcommit;

    @Spec
    private CommandSpec spec = CommandSpec.create();

    /** For picocli. */
    public DonorCommand() {}

    @Override
    public void check() {
        Size lent = lent();
        check(lent);
        LoopSettings running = loops.settings(transports().size() - 1);
        long slabs = lent.bytes() / slabSize.bytes();
        checkMemory(lent, slabs, running.count() + transports().size() - 1);
        var _ = httpAccess.address(http, EndpointOptions.DONOR_DEFAULT);
        var _ = limits();
        var _ = registration();
    }

    @Override
    public List<String> unfitFiles() {
        return Stream.of(pool.unfitFiles(Role.DONOR), httpAccess.unfitFiles(), registryAccess.unfitFiles())
                .flatMap(List::stream)
                .toList();
    }

    private Size lent() {
        Size lent = memory;
        if (lent == null) {
            throw new ParameterException(spec.commandLine(), "--memory: say how much to lend, like --memory 8G");
        }
        return lent;
    }

    @Override
    public Integer call() {
        Size lent = lent();
        check(lent);
        LoopSettings running = loops.settings(transports().size() - 1);
        long slabs = lent.bytes() / slabSize.bytes();
        List<String> remarks = fit(lent, slabs, running.count() + transports().size() - 1);
        EndpointAddress endpoint = httpAccess.address(http, EndpointOptions.DONOR_DEFAULT);
        OwnerLimits limits = limits();
        DonorRegistration.Settings registration = registration();
        List<String> lacks = protect();
        LendingDonor donor;
        Reload reload = new Reload(spec, DonorCommand::new, LIVE);
        try {
            StoreSettings store = StoreSettings.ofMemory(lent.bytes(), Math.toIntExact(slabSize.bytes()))
                    .withLease(lease)
                    .withLimits(limits)
                    .withLock(!noLock && !unprotected);
            if (overcommit) {
                store = store.withReadySlabs(0).withHugePages(false);
            }
            donor = LendingDonor.open(
                    store,
                    listen,
                    transports(),
                    pool.folder(linkSecurity),
                    running,
                    endpoint,
                    lacks,
                    reload,
                    registration);
        } catch (IllegalArgumentException e) {
            throw new ParameterException(spec.commandLine(), String.valueOf(e.getMessage()), e);
        } catch (IOException e) {
            boolean noDevice = e.getCause() instanceof VerbsException;
            throw new CommandFailure(
                    noDevice ? ExitCode.NOT_POSSIBLE_HERE : ExitCode.FAILED, String.valueOf(e.getMessage()), e);
        }
        ServiceNotice notice = ServiceNotice.here();
        Exit exit = new Exit(donor::close);
        Drain.onSignals(donor, drainTimeout, exit, notice);
        Hangup.then(reload::runAndTell);
        keepFree(donor);
        reload.changeBy((changes, read) -> {
            if (read instanceof DonorCommand other) {
                // Of the file of limits nobody knows whether it has changed.
                donor.limitOwners(other.limits());
                if (changes.containsKey("keep-free")) {
                    other.keepFree(donor);
                }
            }
        });
        rereadOwners(donor, reload);
        String soon = PoolFolder.endsSoon(donor.tls());
        if (soon != null) {
            remarks.add(soon);
        }
        Stream.concat(remarks.stream(), lacks.stream())
                .forEach(lack -> spec.commandLine().getErr().println(spec.qualifiedName() + ": " + lack));
        spec.commandLine()
                .getOut()
                .println("ready " + String.join(" ", donor.uris()) + (donor.isInsecure() ? " insecure" : ""));
        notice.ready("lends " + lent + " at " + donor.uris().getFirst(), donor::respond);
        return exit.await();
    }

    /** Where there is a file of settings, its change sees to that. */
    private void rereadOwners(LendingDonor donor, Reload reload) {
        Path file = owners;
        if (file == null || reload.path() != null) {
            return;
        }
        reload.rereads(() -> {
            OwnerLimits read;
            try {
                read = limits();
            } catch (ParameterException e) {
                throw new IOException(e.getMessage(), e);
            }
            return new Reload.Use() {
                @Override
                public String use() {
                    donor.limitOwners(read);
                    return "limits of --owners (" + file + ")";
                }

                @Override
                public void discard() {
                    // Nothing is held.
                }
            };
        });
    }

    private void keepFree(LendingDonor donor) {
        Size keep = keepFree;
        donor.keepFree(keep == null ? null : keep.bytes(), meminfo);
    }

    private void check(Size lent) {
        require(!transports().isEmpty(), "--transport: '" + transport + "' is none; say tcp, rdma or both");
        InetSocketAddress at = listen.resolve();
        boolean beyond = !at.isUnresolved() && !at.getAddress().isLoopbackAddress();
        pool.require(
                !transports().contains(Transport.TCP) || !beyond || pool.folder() != null,
                "--listen: whoever reaches " + listen
                        + " could use this memory and read what is in it; give --pool FOLDER"
                        + " ('leap-nbd pool --help' says how to make it), or say --insecure");
        pool.require(
                !transports().contains(Transport.RDMA) || pool.folder() != null,
                "--transport: over RDMA whoever reaches " + listen
                        + " could use this memory and read what is in it; give --pool FOLDER"
                        + " ('leap-nbd pool --help' says how to make it), or say --insecure");
        require(
                linkSecurity == LinkProtection.AUTH || pool.folder() != null,
                "--link-security: tls is for links that show certificates; give --pool FOLDER, or leave it out");
        long slab = slabSize.bytes();
        require(
                slab >= Protocol.MIN_SLAB_SIZE && slab <= Protocol.MAX_SLAB_SIZE && Long.bitCount(slab) == 1,
                "--slab-size: " + slabSize + " is not a power of two from 1M to 1G");
        require(
                lent.bytes() >= slab,
                "--memory: " + lent + " is less than one slab of " + slabSize
                        + "; lend more, or give a smaller --slab-size");
        require(
                lease.compareTo(Duration.ofSeconds(1)) >= 0 && lease.compareTo(LONGEST_LEASE) <= 0,
                "--lease: " + Durations.format(lease) + " is not in 1s.." + Durations.format(LONGEST_LEASE));
        require(
                drainTimeout.compareTo(LONGEST_DRAIN) <= 0,
                "--drain-timeout: " + Durations.format(drainTimeout) + " is not in 0s.."
                        + Durations.format(LONGEST_DRAIN));
        require(
                keepFree == null || !overcommit,
                "--keep-free and --overcommit contradict each other; give one of them");
    }

    /** Refuses what does not fit, starts anew for want of heap, and returns what is to be said of the rest. */
    private List<String> fit(Size lent, long slabs, int running) {
        long heap = heap(slabs, running);
        MachineMemory machine = checkMemory(lent, slabs, running);
        FittingHeap.require(
                slabs + " slabs of " + slabSize + " and " + running + " event loops", heap, config.typed(spec));
        List<String> remarks = new ArrayList<>();
        long whole = slabs * slabSize.bytes();
        if (whole < lent.bytes()) {
            remarks.add("--memory " + lent + " is not a multiple of a slab: " + Size.format(whole)
                    + " are lent, in slabs of " + slabSize
                    + "; give a multiple, or a smaller --slab-size here and at all other donors of a server");
        }
        machine.shortage(whole)
                .ifPresent(little -> remarks.add(little + ", so not all of the " + Size.format(whole)
                        + " can be lent now; end other programs, or lend less"));
        return remarks;
    }

    private MachineMemory checkMemory(Size lent, long slabs, int running) {
        long least = heap(0, running);
        // A slab's pages have a word each.
        long words = slabs * slabSize.bytes() / Protocol.PAGE_SIZE * Long.BYTES;
        MachineMemory machine = MachineMemory.now();
        if (!overcommit) {
            machine.check(
                    "--memory",
                    lent.bytes(),
                    words + heap(slabs, running) - least,
                    Math.max(least, Runtime.getRuntime().maxMemory()));
        }
        return machine;
    }

    private long heap(long slabs, int running) {
        return HeapNeed.donor(running, slabs)
                + (pool.folder() == null ? 0 : HeapNeed.POOL)
                + (registry == null ? 0 : HeapNeed.REGISTRY);
    }

    private Set<Transport> transports() {
        return switch (transport) {
            case "tcp" -> EnumSet.of(Transport.TCP);
            case "rdma" -> EnumSet.of(Transport.RDMA);
            case "both" -> EnumSet.allOf(Transport.class);
            default -> EnumSet.noneOf(Transport.class);
        };
    }

    private void require(boolean right, String message) {
        if (!right) {
            throw new ParameterException(spec.commandLine(), message);
        }
    }

    private List<String> protect() {
        if (unprotected) {
            return List.of();
        }
        Set<Protection.Measure> measures = EnumSet.copyOf(Protection.LENDER);
        if (noLock) {
            measures.remove(Protection.Measure.LOCKED);
        }
        return Protection.apply(measures, "donor").stream()
                .filter(finding -> !finding.ok())
                .map(finding -> "not protected: " + finding)
                .toList();
    }

    private DonorRegistration.@Nullable Settings registration() {
        String where = registry;
        if (where == null) {
            require(advertise == null, "--advertise: it says what servers are told; name a registry with --registry");
            require(zone == null, "--zone: it says what servers are told; name a registry with --registry");
            registryAccess.requireNone("it is for an etcd; name one with --registry, like etcd://h1:2379/POOL");
            return null;
        }
        String option = "--registry";
        try {
            DonorSource.Etcd etcd = DonorSource.Etcd.parse(where);
            option = "--advertise";
            String address = advertise;
            HostPort told = address == null ? null : HostPort.parse(address, 0);
            String given = zone;
            require(
                    given == null || DonorAddress.isZone(given),
                    "--zone: '" + given + "' is no zone's name; that has 1 to 64 letters, digits, '.', '_' and '-'");
            return new DonorRegistration.Settings(etcd, registryAccess.access(), told, given == null ? "" : given);
        } catch (TypeConversionException e) {
            throw new ParameterException(spec.commandLine(), option + ": " + e.getMessage(), e);
        }
    }

    private OwnerLimits limits() {
        Size each = perOwner;
        require(
                each == null || each.bytes() >= slabSize.bytes(),
                "--per-owner: " + each + " is less than one slab of " + slabSize
                        + ", so nobody could keep anything here; give more, or a smaller --slab-size");
        long bytes = each == null ? OwnerLimits.UNLIMITED : each.bytes();
        Path file = owners;
        try {
            return file == null ? new OwnerLimits(bytes, Map.of()) : OwnersFile.read(file, bytes);
        } catch (IOException e) {
            throw new ParameterException(spec.commandLine(), "--owners: " + e.getMessage(), e);
        }
    }
}
