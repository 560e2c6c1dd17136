package io.leapnbd.tools.serve;

import io.leapnbd.bypass.cipher.Encryption;
import io.leapnbd.bypass.spill.SpillSettings;
import io.leapnbd.donor.loop.LoopSettings;
import io.leapnbd.donor.protocol.Protocol;
import io.leapnbd.donor.tls.LinkProtection;
import io.leapnbd.donor.tls.Role;
import io.leapnbd.prefetch.LeapSettings;
import io.leapnbd.prefetch.PrefetchPolicy;
import io.leapnbd.tools.attach.SwapOptions;
import io.leapnbd.tools.cli.CommandFailure;
import io.leapnbd.tools.cli.DonorAddress;
import io.leapnbd.tools.cli.Durations;
import io.leapnbd.tools.cli.ExitCode;
import io.leapnbd.tools.cli.HostPort;
import io.leapnbd.tools.cli.LogOptions;
import io.leapnbd.tools.cli.LoopOptions;
import io.leapnbd.tools.cli.Size;
import io.leapnbd.tools.config.Configurable;
import io.leapnbd.tools.config.Configuration;
import io.leapnbd.tools.config.InstanceOptions;
import io.leapnbd.tools.config.Reload;
import io.leapnbd.tools.http.EndpointAccessOptions;
import io.leapnbd.tools.http.EndpointOptions;
import io.leapnbd.tools.http.RunFile;
import io.leapnbd.tools.linux.Machine;
import io.leapnbd.tools.memory.MachineMemory;
import io.leapnbd.tools.pool.LinkSecurity;
import io.leapnbd.tools.pool.PoolOptions;
import io.leapnbd.tools.pool.ProtectionConverter;
import io.leapnbd.tools.registry.DonorSource;
import io.leapnbd.tools.registry.NoDonorsException;
import io.leapnbd.tools.registry.RegistryOptions;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.util.HashMap;
import java.util.Iterator;
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

/** {@code leap-nbd serve}. */
@Command(
        name = "serve",
        sortOptions = false,
        description = {
            "Exports memory of donors, or of this process, as an NBD device.",
            "",
            "Prints one line that begins with 'ready' and names the addresses when it accepts connections. On SIGTERM it"
                    + " drops them; donors keep the pages for their lease, so that a server that comes back finds them.",
            ""
        })
public final class ServeCommand implements Callable<Integer>, Configurable {

    /** What can change while it runs: as {@code set} has it. */
    private static final Set<String> LIVE =
            Set.of("donors", "prefetch", "history", "split", "max-window", "cache-size");

    private static final Size EMBEDDED_SIZE = Size.parse("512M");
    private static final String DEFAULT_LISTEN = "127.0.0.1:10809";

    private static final int MOST_COPIES = 4;

    private static final Duration LONGEST_IO_TIMEOUT = Duration.ofSeconds(25);

    private static final Duration DEFAULT_MEMBER_TIMEOUT = Duration.ofSeconds(1);
    private static final Duration LEAST_MEMBER_TIMEOUT = Duration.ofMillis(100);

    @Option(
            names = "--donors",
            paramLabel = "LIST",
            description =
                    "Donors, separated by commas: host:port, tcp://host:port, rdma://host:port; ?zone=NAME behind one says"
                            + " what counts as one machine for --replicas. Or who names them: etcd://host:port,host:port/POOL, where"
                            + " 'donor --registry' registers, or SRV records, dns:_leap-nbd._tcp.example.org. Default: one in this"
                            + " process.")
    private @Nullable String donors;

    @Option(
            names = "--size",
            paramLabel = "SIZE",
            converter = Size.Converter.class,
            description = "Size of the device, like 12G. Default without --donors: 512M.")
    private @Nullable Size size;

    @Option(
            names = "--export",
            paramLabel = "NAME",
            description =
                    "Name of the export, also at the donors. Clients that name none get it too. Default: this machine's"
                            + " own, its host name and a number made from its machine-id.")
    private @Nullable String export;

    @Option(
            names = "--listen",
            paramLabel = "HOST:PORT",
            converter = HostPort.ListenConverter.class,
            description = "Accept clients over TCP; may be repeated. Default without --unix: " + DEFAULT_LISTEN + ".")
    private List<HostPort> listen = List.of();

    @Mixin
    private UnixOptions unix = new UnixOptions();

    @Mixin
    private SwapOptions swap = new SwapOptions();

    @Mixin
    private PoolOptions pool = new PoolOptions();

    @Option(
            names = "--link-security",
            paramLabel = "MODE",
            defaultValue = "tls",
            converter = ProtectionConverter.class,
            description =
                    "How links of --pool go on over TCP when both ends have shown their certificates. tls: all is encrypted. auth:"
                            + " headers go in clear with tags, and pages as --encrypt has made them, which is less work; for a network"
                            + " that you trust not to destroy pages. Over RDMA: always tls. Default: ${DEFAULT-VALUE}.")
    private LinkProtection linkSecurity = LinkProtection.TLS;

    @Mixin
    private RegistryOptions registry = new RegistryOptions();

    @Mixin
    private TlsOptions tls = new TlsOptions();

    @Option(
            names = "--http",
            paramLabel = "HOST:PORT",
            description =
                    "Where /metrics, /status, /security, /histograms, /healthz and /readyz are answered; none turns it"
                            + " off. Default: " + EndpointOptions.DEFAULT + ", or another free port if that is taken.")
    private @Nullable String http;

    @Mixin
    private EndpointAccessOptions httpAccess = new EndpointAccessOptions();

    @Option(
            names = "--prefetch",
            paramLabel = "POLICY",
            defaultValue = "adaptive",
            completionCandidates = Policies.class,
            description = "What decides which pages are fetched ahead of demand: ${COMPLETION-CANDIDATES}."
                    + " Default: ${DEFAULT-VALUE}.")
    private String prefetch = "adaptive";

    @Option(
            names = "--history",
            paramLabel = "H",
            defaultValue = "32",
            description = "Accesses among which Leap looks for a trend. Default: ${DEFAULT-VALUE}.")
    private String history = "32";

    @Option(
            names = "--split",
            paramLabel = "N",
            defaultValue = "4",
            description = "It looks among the newest H/N first. Default: ${DEFAULT-VALUE}.")
    private String split = "4";

    @Option(
            names = "--max-window",
            paramLabel = "PW",
            defaultValue = "8",
            description = "The most pages that Leap prefetches at once. Default: ${DEFAULT-VALUE}.")
    private String maxWindow = "8";

    @Option(
            names = "--cache-size",
            paramLabel = "SIZE",
            defaultValue = "16M",
            converter = Size.Converter.class,
            description = "Memory for prefetched pages. Default: ${DEFAULT-VALUE}.")
    private Size cacheSize = new Size(PrefetchSettings.DEFAULT.cacheSize());

    @Option(
            names = "--cache-limit",
            paramLabel = "SIZE",
            converter = Size.Converter.class,
            description =
                    "Reserve so much for the cache, so that 'leap-nbd set cache-size=' can make it larger while the"
                            + " server runs. Default: --cache-size.")
    private @Nullable Size cacheLimit;

    @Option(
            names = "--record",
            paramLabel = "FILE",
            description = "Write down what clients read, write and trim, for 'replay'; compressed if the name ends in"
                    + " .gz. A recording that is there is gone on with; no other file is touched.")
    private @Nullable Path record;

    @Option(
            names = "--io-timeout",
            paramLabel = "TIME",
            defaultValue = "20s",
            converter = Durations.Converter.class,
            description =
                    "How long a request may take, donors that are away included, before it ends with an I/O error."
                            + " Default: ${DEFAULT-VALUE}.")
    private Duration ioTimeout = Duration.ofSeconds(20);

    @Option(
            names = "--replicas",
            paramLabel = "N",
            description =
                    "Copies of each page, each at a donor on another machine: 1 to 4. With one, a donor's pages are"
                            + " lost when it ends. Default: 2 where donors on two machines have room for that, else 1; that changes when"
                            + " 'leap-nbd set donors=' changes the donors.")
    private @Nullable Integer replicas;

    @Option(
            names = "--member-timeout",
            paramLabel = "TIME",
            converter = Durations.Converter.class,
            description = "How long a donor may be silent, with two copies and more, before writes and reads go on"
                    + " without it. Default: 1s, or a quarter of --io-timeout if that is less.")
    private @Nullable Duration memberTimeout;

    @Option(
            names = "--seals",
            paramLabel = "on|off",
            defaultValue = "on",
            description =
                    "on: a seal of 8 bytes of each page is kept, and a page that is not what was written is read from"
                            + " another copy, or is an I/O error. off: whatever a donor answers is believed."
                            + " Default: ${DEFAULT-VALUE}.")
    private String seals = "on";

    @Mixin
    private EncryptionOptions encryption = new EncryptionOptions();

    @Option(
            names = "--spill",
            paramLabel = "FILE:SIZE",
            converter = SpillChoice.class,
            description =
                    "A local file of SIZE, allocated at the start, for pages that no donor has room or life for, like"
                            + " /var/lib/leap-nbd/spill:16G. It is slower than donors; what is there goes back to them when"
                            + " they have room. The next server needs it too, as a donor. Default: none.")
    private @Nullable SpillSettings spill;

    @Mixin
    private InstanceOptions config = new InstanceOptions("fresh", "take-over", "lose-missing", "swap-take-over");

    @Mixin
    @SuppressWarnings("UnusedVariable") // acted on before the command runs
    private LogOptions logging = new LogOptions();

    @Mixin
    private LoopOptions loops = new LoopOptions();

    @Option(
            names = "--path",
            paramLabel = "PATH",
            defaultValue = "bypass",
            converter = DataPath.Converter.class,
            description =
                    "bypass: requests go to the donors at once. queued: through a block layer's plug, elevator and"
                            + " worker, to compare. Default: ${DEFAULT-VALUE}.")
    private DataPath path = DataPath.BYPASS;

    @Option(
            names = "--state-dir",
            paramLabel = "FOLDER",
            description = "Where to keep what a restarted server has to know; best in a tmpfs. Default: /run/leap-nbd,"
                    + " or the user's own.")
    private @Nullable Path stateDir;

    @Option(names = "--fresh", description = "Give up what the export held before, and start blank.")
    private boolean fresh;

    @Option(
            names = "--take-over",
            description =
                    "Take the export although its server still answers, or another machine has claimed it, or the donors"
                            + " hold other contents than the state file names. The other server ends.")
    private boolean takeOver;

    @Option(
            names = "--lose-missing",
            description =
                    "Go on without donors that may hold pages of the export and do not answer or are not named. What only"
                            + " they have is lost. It is a promise that neither they nor another server go on with it. A donor that is"
                            + " named may still be waited for: leave it out of --donors.")
    private boolean loseMissing;

    @Option(
            names = "--wait",
            paramLabel = "TIME",
            defaultValue = "60s",
            converter = Durations.Converter.class,
            description = "How long to wait at the start for donors that do not answer, as machines boot in any order."
                    + " Default: ${DEFAULT-VALUE}.")
    private Duration patience = Duration.ofSeconds(60);

    @Option(
            names = "--histogram-log",
            paramLabel = "FILE",
            description =
                    "Write latencies of each interval to FILE for HdrHistogram's tools, and those of the whole run"
                            + " to FILE.total at the end. A log that is there is gone on with.")
    private @Nullable Path histogramLog;

    @Option(
            names = "--histogram-interval",
            paramLabel = "TIME",
            defaultValue = "1s",
            converter = Durations.Converter.class,
            description = "Default: ${DEFAULT-VALUE}.")
    private Duration histogramInterval = Duration.ofSeconds(1);

    @Option(
            names = "--file-limit",
            paramLabel = "SIZE",
            defaultValue = "1G",
            converter = Size.Converter.class,
            description =
                    "When FILE of --record or --histogram-log has so much it becomes FILE.1, what was FILE.1 becomes FILE.2, and so"
                            + " on; nine are kept. SIGHUP opens FILE anew, for another program that moves it. Default: ${DEFAULT-VALUE}.")
    private Size fileLimit = new Size(ServerSettings.DEFAULT_FILE_LIMIT);

    @Option(
            names = "--unprotected",
            description =
                    "Do not lock this process in memory, spare it from the OOM killer and so on. Not for a machine"
                            + " that swaps to it.")
    private boolean unprotected;

    @Spec
    private CommandSpec spec = CommandSpec.create();

    /** For picocli. */
    public ServeCommand() {}

    @Override
    public void check() {
        DonorSource source = source();
        var _ = settings(source instanceof DonorSource.Named named ? named.donors() : null);
        checkRegistry(source);
        var _ = swap.device(List.of());
    }

    @Override
    public List<String> unfitFiles() {
        return Stream.of(
                        pool.unfitFiles(Role.SERVER),
                        tls.unfitFiles(),
                        encryption.unfitFiles(),
                        registry.unfitFiles(),
                        httpAccess.unfitFiles())
                .flatMap(List::stream)
                .toList();
    }

    @Override
    public Map<String, String> defaultsOf(String instance, Configuration known) {
        Map<String, String> defaults = new HashMap<>();
        // Two servers of one machine have two exports. And on two machines with one file they do, too.
        defaults.put("export", Machine.defaultExport() + "." + instance);
        if (known.setting("unix") == null && known.setting("listen") == null) {
            defaults.put("unix", RunFile.socketOf(instance).toString());
        }
        return defaults;
    }

    @Override
    public Integer call() {
        DonorSource source = source();
        if (source instanceof DonorSource.Named named) {
            checkRegistry(source);
            return run(settings(named.donors()), null);
        }
        // All that can be refused is, before anybody is waited for.
        ServerSettings known = settings(null);
        checkRegistry(source);
        long begin = System.nanoTime();
        RegistryFeed feed = RegistryFeed.open(source, registry.access(), known);
        int least = replicas == null ? 1 : replicas;
        List<DonorAddress> first;
        try {
            first = feed.first(known.size() * least, least, patience);
        } catch (NoDonorsException e) {
            throw new CommandFailure(ExitCode.UNREACHABLE, String.valueOf(e.getMessage()), e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new CommandFailure(ExitCode.FAILED, "it was told to end while it waited for donors", e);
        }
        // Donors are waited for with what is left.
        Duration left = patience.minusNanos(System.nanoTime() - begin);
        patience = left.isNegative() ? Duration.ZERO : left;
        return run(settings(first), feed);
    }

    private int run(ServerSettings settings, @Nullable RegistryFeed feed) {
        List<String> typed = config.typed(spec);
        Reload reload = new Reload(spec, ServeCommand::new, LIVE);
        return new ServeProcess(spec, typed, reload, swap.device(typed), feed).run(settings, unprotected);
    }

    private DonorSource source() {
        return donors == null
                ? new DonorSource.Named(List.of())
                : converted("--donors", donors, text -> {
                    DonorSource source = DonorSource.parse(text);
                    if (source instanceof DonorSource.Named named) {
                        DonorAddress.requireTransports(named.donors());
                    }
                    return source;
                });
    }

    private void checkRegistry(DonorSource source) {
        if (source instanceof DonorSource.Etcd) {
            var _ = registry.access();
        } else {
            registry.requireNone("it is for an etcd; name one with --donors, like etcd://h1:2379/POOL");
        }
    }

    private CopiesChoice copies(@Nullable List<DonorAddress> known) {
        List<DonorAddress> addresses = known == null ? List.of() : known;
        // Those that nobody has named yet may be on as many machines as one likes.
        int machines = known == null
                ? MOST_COPIES
                : (int) Math.max(
                        1,
                        addresses.stream().map(DonorAddress::machine).distinct().count());
        Duration longest = ioTimeout.dividedBy(4);
        Duration given = memberTimeout;
        Duration usual = DEFAULT_MEMBER_TIMEOUT.compareTo(longest) < 0 ? DEFAULT_MEMBER_TIMEOUT : longest;
        Duration silence = given != null ? given : usual;
        boolean tooShort = silence.compareTo(LEAST_MEMBER_TIMEOUT) < 0;
        boolean tooLong = silence.compareTo(longest) > 0;
        // Requests may be too short for two copies. Then two are no default.
        int usually = machines > 1 && (given != null || !tooShort) ? 2 : 1;
        Integer asked = replicas;
        int wanted = asked != null ? asked : usually;
        require(wanted >= 1 && wanted <= MOST_COPIES, "--replicas: " + wanted + " is not in 1.." + MOST_COPIES);
        require(
                wanted <= machines,
                "--replicas: " + wanted + " copies need as many machines, and the donors are on " + machines
                        + "; add a donor, or say ?zone=NAME behind a donor to name what counts as one machine");
        // With one copy it is for slabs of an earlier start that have more.
        boolean wrong = wanted > 1 ? tooShort || tooLong : given != null && tooShort;
        require(
                !wrong,
                "--member-timeout: " + Durations.format(silence) + " is not in 100ms to a quarter of --io-timeout, "
                        + Durations.format(ioTimeout));
        require(seals.equals("on") || seals.equals("off"), "--seals: '" + seals + "' is neither on nor off");
        boolean anywhere = donors != null && DonorSource.isRegistry(donors);
        Encryption encrypted = encryption.choice(anywhere ? null : addresses);
        require(
                seals.equals("on") || !encrypted.kind().encrypts(),
                "--seals off: an encrypted page is always looked at; say --encrypt off as well");
        int most = asked != null ? 0 : tooShort || tooLong ? 1 : 2;
        return new CopiesChoice(
                wanted,
                asked == null && wanted > 1,
                most,
                silence,
                seals.equals("on"),
                encrypted,
                encryption.onlyThisMachine(anywhere ? null : addresses),
                spill);
    }

    /**
     * What was said.
     *
     * @param known donors; null if a registry names them, and has not been asked
     */
    private ServerSettings settings(@Nullable List<DonorAddress> known) {
        List<DonorAddress> addresses = known == null ? List.of() : known;
        boolean embedded = known != null && known.isEmpty();
        Size bytes = size;
        if (bytes == null) {
            require(embedded, "--size: say how large the device is to be, like --size 12G");
            bytes = EMBEDDED_SIZE;
        }
        require(
                bytes.bytes() > 0 && bytes.bytes() % Protocol.PAGE_SIZE == 0,
                "--size: " + bytes + " is not a multiple of 4K above zero");
        if (embedded) {
            MachineMemory.now()
                    .check("--size", bytes.bytes(), 0, Runtime.getRuntime().maxMemory());
        }
        String name = export == null ? Machine.defaultExport() : export;
        int nameLength = name.getBytes(StandardCharsets.UTF_8).length;
        require(
                nameLength >= 1 && nameLength <= 255,
                "--export: a name has 1 to 255 bytes; this one has " + nameLength);
        LoopSettings running = loops.settings(0);
        require(
                !ioTimeout.isZero() && ioTimeout.compareTo(LONGEST_IO_TIMEOUT) <= 0,
                "--io-timeout: " + Durations.format(ioTimeout) + " is not in 1ms..25s; Linux gives up on a connection"
                        + " after 30s without an answer");
        require(
                spill == null || !embedded,
                "--spill: it is for pages that donors have no room for; name some with --donors");
        CopiesChoice copies = copies(known);
        require(
                patience.compareTo(Duration.ofHours(1)) <= 0,
                "--wait: " + Durations.format(patience) + " is not in 0s..1h");
        require(fileLimit.bytes() >= 1 << 20, "--file-limit: " + fileLimit + " is less than 1M; give more");
        require(!histogramInterval.isZero(), "--histogram-interval: has to be above zero, like 1s");
        // Over one of its own the kernel reaches it whatever becomes of the network.
        UnixSockets sockets = unix.sockets(swap.given() ? RunFile.socketOf("swap") : null);
        require(
                !swap.given() || !unprotected,
                "--unprotected: not for a server that this machine swaps on; leave it out, or --swap");
        require(
                !swap.given() || !embedded,
                "--swap: this machine gains nothing by swapping to its own memory; name donors with --donors");
        List<HostPort> tcp =
                listen.isEmpty() && sockets.paths().isEmpty() ? List.of(HostPort.parseListen(DEFAULT_LISTEN)) : listen;
        TlsChoice clients = tls.choice();
        String open = clients.objection(tcp);
        pool.require(open == null, "--listen: " + open);
        boolean auth = linkSecurity == LinkProtection.AUTH;
        require(
                !auth || pool.folder() != null,
                "--link-security: auth is for links that show certificates; give --pool FOLDER, or leave it out");
        require(
                !auth || embedded || copies.encryption().kind().encrypts(),
                "--link-security: with auth pages go as they are, and nobody would find a changed one; say --encrypt on,"
                        + " or --link-security tls");
        LinkSecurity security = new LinkSecurity(
                pool.folder(linkSecurity),
                pool.insecure(),
                copies.encryption().kind().encrypts());
        String objection = security.objection(addresses);
        require(objection == null, "--donors: " + objection);
        Path folder = stateDir == null ? RunFile.folder() : stateDir;
        return new ServerSettings(
                addresses,
                bytes.bytes(),
                name,
                tcp,
                sockets,
                clients,
                security,
                httpAccess.address(http, EndpointOptions.DEFAULT),
                copies,
                ioTimeout,
                running,
                folder,
                new TakeoverChoice(fresh, takeOver, loseMissing, patience),
                histogramLog,
                histogramInterval,
                prefetchSettings(),
                record,
                fileLimit.bytes(),
                path,
                List.of());
    }

    private PrefetchSettings prefetchSettings() {
        Size limit = cacheLimit == null ? cacheSize : cacheLimit;
        require(
                limit.bytes() >= cacheSize.bytes()
                        && limit.bytes() <= 32L << 30
                        && limit.bytes() % Protocol.PAGE_SIZE == 0,
                (cacheLimit == null ? "--cache-size: " : "--cache-limit: ") + limit
                        + " is not a multiple of 4K between the cache's size and 32G");
        MachineMemory.now()
                .check(
                        cacheLimit == null ? "--cache-size" : "--cache-limit",
                        limit.bytes(),
                        0,
                        Runtime.getRuntime().maxMemory());
        try {
            return new PrefetchSettings(
                            PrefetchPolicy.of(prefetch), LeapSettings.PUBLISHED, cacheSize.bytes(), limit.bytes())
                    .with(Map.of(
                            PrefetchSettings.HISTORY, history,
                            PrefetchSettings.SPLIT, split,
                            PrefetchSettings.MAX_WINDOW, maxWindow));
        } catch (IllegalArgumentException e) {
            throw new ParameterException(spec.commandLine(), String.valueOf(e.getMessage()), e);
        }
    }

    private void require(boolean right, String message) {
        if (!right) {
            throw new ParameterException(spec.commandLine(), message);
        }
    }

    private <T> T converted(String option, String text, java.util.function.Function<String, T> parser) {
        try {
            return parser.apply(text);
        } catch (TypeConversionException e) {
            throw new ParameterException(spec.commandLine(), option + ": " + e.getMessage(), e);
        }
    }

    private static final class Policies implements Iterable<String> {
        @Override
        public Iterator<String> iterator() {
            return Stream.of(PrefetchPolicy.values()).map(PrefetchPolicy::label).iterator();
        }
    }
}
