package io.leapnbd.bypass;

import io.leapnbd.bypass.cipher.Encryption;
import io.leapnbd.bypass.link.DonorAddress;
import io.leapnbd.bypass.map.Placement;
import io.leapnbd.bypass.map.StateFile;
import io.leapnbd.bypass.spill.SpillSettings;
import io.leapnbd.bypass.takeover.CopiesWish;
import io.leapnbd.bypass.takeover.TakeoverSettings;
import io.leapnbd.donor.protocol.Protocol;
import io.leapnbd.donor.store.SlabStore;
import io.leapnbd.donor.tls.LinkProtection;
import io.leapnbd.donor.tls.LinkTls;
import io.leapnbd.prefetch.LeapSettings;
import io.leapnbd.prefetch.PrefetchPolicy;
import io.netty.buffer.ByteBufAllocator;
import io.netty.buffer.PooledByteBufAllocator;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.UUID;
import org.jspecify.annotations.Nullable;

/**
 * The settings of a {@link RemoteDevice}: changed until {@link #conclude()} has checked them, and by nobody afterwards.
 * Not for use by several threads at a time.
 */
public final class RemoteDeviceContext {

    private long size;
    private String export = "leap";
    private List<DonorAddress> donors = List.of();
    private @Nullable SlabStore embedded;
    private @Nullable SpillSettings spill;
    private Duration requestTimeout = Duration.ofSeconds(20);
    private int copies = 1;
    private boolean fewerCopies;
    private int mostCopies;
    private Duration memberTimeout = Duration.ofSeconds(1);
    private Duration connectTimeout = Duration.ofSeconds(10);
    private @Nullable Path stateFile;
    private boolean fresh;
    private boolean takeOver;
    private boolean loseMissing;
    private boolean seals = true;
    private Encryption encryption = Encryption.OFF;
    private Duration wait = Duration.ofSeconds(60);
    private UUID host = new UUID(0, 1);
    private String owner = "process " + ProcessHandle.current().pid();
    private int bulkWindow = 512 << 10;
    private long cacheSize = 16L << 20;
    private ByteBufAllocator buffers = PooledByteBufAllocator.DEFAULT;
    private @Nullable LinkTls tls;
    private long cacheLimit;
    private PrefetchPolicy prefetchPolicy = PrefetchPolicy.NONE;
    private LeapSettings prefetchSettings = LeapSettings.PUBLISHED;
    private List<BufferRegion> bufferRegions = List.of();
    private boolean busyPoll;
    private boolean concluded;

    /** Size of the device in bytes: a multiple of 4,096, above zero. */
    public RemoteDeviceContext size(long bytes) {
        change();
        size = bytes;
        return this;
    }

    /**
     * How many copies a slab has, each on a machine of its own; 1 to 4. With fewer machines that have room there are fewer, until there
     * are more.
     */
    public RemoteDeviceContext copies(int number) {
        change();
        copies = number;
        return this;
    }

    /**
     * Leaves it to the donors how many copies there are, as these are added and removed while the device is in use: so many at most, where they are on
     * as many machines and have room. Otherwise there are as many as {@link #copies} says.
     */
    public RemoteDeviceContext copiesByDefault(int most) {
        change();
        mostCopies = most;
        return this;
    }

    /** Whether fewer {@linkplain #copies copies} will do where donors have no room for that many. */
    public RemoteDeviceContext fewerCopiesIfNoRoom(boolean will) {
        change();
        fewerCopies = will;
        return this;
    }

    /**
     * How long a donor may be silent while another one has the page too, before it is not waited for any more; 100 ms to a quarter of the
     * request timeout.
     */
    public RemoteDeviceContext memberTimeout(Duration timeout) {
        change();
        memberTimeout = timeout;
        return this;
    }

    /** Name of the export, by which donors tell whose slabs are whose; 1 to 255 bytes of UTF-8. */
    public RemoteDeviceContext export(String name) {
        change();
        export = name;
        return this;
    }

    /** Donors that are reached over a network; at least one, unless there is an embedded one. */
    public RemoteDeviceContext donors(List<DonorAddress> addresses) {
        change();
        donors = List.copyOf(addresses);
        return this;
    }

    /** A donor in this process, instead of others. Who opened the store closes it, after the device. */
    public RemoteDeviceContext embedded(SlabStore store) {
        change();
        embedded = store;
        return this;
    }

    /** A local file for pages that no donor has room or life for; null for none. */
    public RemoteDeviceContext spill(@Nullable SpillSettings settings) {
        change();
        spill = settings;
        return this;
    }

    /**
     * How long a request may take before it ends with an I/O error, waits for donors to come back included; 1 ms to 1 h. Keep it
     * below the 30 s after which Linux gives up on an NBD connection.
     */
    public RemoteDeviceContext requestTimeout(Duration timeout) {
        change();
        requestTimeout = timeout;
        return this;
    }

    /** How long a connection to a donor and its hello may take; 1 ms to 1 min. */
    public RemoteDeviceContext connectTimeout(Duration timeout) {
        change();
        connectTimeout = timeout;
        return this;
    }

    /** Where to keep what a restarted server has to know; null keeps it nowhere. */
    public RemoteDeviceContext stateFile(@Nullable Path path) {
        change();
        stateFile = path;
        return this;
    }

    /** Whether to give up what the export held before and start blank. */
    public RemoteDeviceContext fresh(boolean blank) {
        change();
        fresh = blank;
        return this;
    }

    /** Whether to push aside a server that answers, or to take another machine's pages or other contents. */
    public RemoteDeviceContext takeOver(boolean push) {
        change();
        takeOver = push;
        return this;
    }

    /** Whether to go on without donors that hold pages of the export: these are lost then. */
    public RemoteDeviceContext loseMissing(boolean lose) {
        change();
        loseMissing = lose;
        return this;
    }

    /** Whether a seal of each page is kept, so that bytes that changed at a donor are found out; docs/seals.md. Default: yes. */
    public RemoteDeviceContext seals(boolean keep) {
        change();
        seals = keep;
        return this;
    }

    /**
     * How pages are encrypted before they leave the process; docs/encryption.md. Default: not. If they are, {@link #seals} does not matter: each has a tag.
     */
    public RemoteDeviceContext encryption(Encryption how) {
        change();
        encryption = how;
        return this;
    }

    /** How long to wait at the start for donors that do not answer; 0 to 1 h. */
    public RemoteDeviceContext wait(Duration patience) {
        change();
        wait = patience;
        return this;
    }

    /**
     * Who this server is.
     *
     * @param machine number of the machine: an export that another machine has claimed is not taken without {@link #takeOver}
     * @param text machine and process, for people; 0 to 255 bytes of UTF-8
     */
    public RemoteDeviceContext server(UUID machine, String text) {
        change();
        host = machine;
        owner = text;
        return this;
    }

    /** Bytes of writes that may be on the way to a donor over one link; 256 KiB to 1 GiB. */
    public RemoteDeviceContext bulkWindow(int bytes) {
        change();
        bulkWindow = bytes;
        return this;
    }

    /** Bytes of the cache of prefetched pages, in whole pages; 4 KiB to 32 GiB. */
    public RemoteDeviceContext cacheSize(long bytes) {
        change();
        cacheSize = bytes;
        return this;
    }

    /** Where links take buffers from; must hand out direct ones. Default: Netty's pooled allocator. */
    public RemoteDeviceContext buffers(ByteBufAllocator allocator) {
        change();
        buffers = allocator;
        return this;
    }

    /** Who donors that are reached over TCP have to show to be, and who this server is; null for neither. Whoever made it closes it, after the device. */
    public RemoteDeviceContext tls(@Nullable LinkTls both) {
        change();
        tls = both;
        return this;
    }

    /**
     * Bytes of memory that the cache takes from the start, up to which its size may be changed later; in whole pages, not below
     * the size, at most 32 GiB. 0, as at the start, is the size.
     */
    public RemoteDeviceContext cacheLimit(long bytes) {
        change();
        cacheLimit = bytes;
        return this;
    }

    /** What decides which pages are fetched ahead, with its settings if it has some; nothing unless this is called. */
    public RemoteDeviceContext prefetch(PrefetchPolicy policy, LeapSettings settings) {
        change();
        prefetchPolicy = policy;
        prefetchSettings = settings;
        return this;
    }

    /**
     * Memory that clients' buffers are usually in and that stays where it is until the device is closed: RDMA reads land there
     * directly. A read into other memory goes through the donor's processors.
     */
    public RemoteDeviceContext bufferRegions(List<BufferRegion> regions) {
        change();
        bufferRegions = List.copyOf(regions);
        return this;
    }

    /** Whether loops look for RDMA completions all the time while there is something under way, instead of being woken. */
    public RemoteDeviceContext busyPoll(boolean busy) {
        change();
        busyPoll = busy;
        return this;
    }

    /**
     * A range of memory.
     *
     * @param address of its first byte
     * @param length bytes
     */
    public record BufferRegion(long address, long length) {}

    /**
     * Checks the settings; they cannot be changed any more.
     *
     * @throws IllegalArgumentException in one sentence that says what is wrong and what would be right
     */
    public RemoteDeviceContext conclude() {
        if (size <= 0 || size % Protocol.PAGE_SIZE != 0) {
            throw new IllegalArgumentException("a size of " + size + " bytes is not a multiple of 4096 above zero");
        }
        int nameLength = export.getBytes(StandardCharsets.UTF_8).length;
        if (nameLength < 1 || nameLength > Protocol.MAX_EXPORT_NAME) {
            throw new IllegalArgumentException(
                    "the export's name has " + nameLength + " bytes; it may have 1 to " + Protocol.MAX_EXPORT_NAME);
        }
        if (donors.isEmpty() == (embedded == null)) {
            throw new IllegalArgumentException("a device needs donors, or else an embedded donor");
        }
        if (tls != null
                && tls.protection() == LinkProtection.AUTH
                && embedded == null
                && !encryption.kind().encrypts()) {
            throw new IllegalArgumentException("links with tags leave pages as they are: encrypt them, or use TLS");
        }
        if (spill != null && embedded != null) {
            throw new IllegalArgumentException("a spill is for pages that donors have no room for; name --donors");
        }
        if (new HashSet<>(donors).size() < donors.size()) {
            throw new IllegalArgumentException("a donor is named twice in " + donors + "; name each once");
        }
        if (donors.size() + (spill == null ? 0 : 1) > StateFile.MAX_DONORS) {
            throw new IllegalArgumentException(
                    donors.size() + " donors are too many; " + StateFile.MAX_DONORS + " are possible");
        }
        requireBetween("connect timeout", connectTimeout, Duration.ofMinutes(1));
        int machines = (int) Arrays.stream(machines()).distinct().count();
        if (copies < 1 || copies > Placement.MAX_MEMBERS || copies > machines) {
            throw new IllegalArgumentException(copies + " copies of a page need as many machines, and "
                    + Placement.MAX_MEMBERS + " are possible; the donors are on " + machines
                    + " (a donor's ?zone=NAME says what counts as one machine)");
        }
        requireBetween("request timeout", requestTimeout, Duration.ofHours(1));
        if (mostCopies() > 1
                && (memberTimeout.toMillis() < 100
                        || memberTimeout.multipliedBy(4).compareTo(requestTimeout) > 0)) {
            throw new IllegalArgumentException("a member timeout of " + memberTimeout.toMillis()
                    + " ms is not in 100 ms..a quarter of the request timeout, " + requestTimeout.toMillis() + " ms");
        }
        if (wait.isNegative() || wait.compareTo(Duration.ofHours(1)) > 0) {
            throw new IllegalArgumentException("a wait of " + wait.toMillis() + " ms is not in 0..1 h");
        }
        if (owner.getBytes(StandardCharsets.UTF_8).length > Protocol.MAX_OWNER) {
            throw new IllegalArgumentException(
                    "the server's description is longer than " + Protocol.MAX_OWNER + " bytes: " + owner);
        }
        if (bulkWindow < 256 << 10 || bulkWindow > 1 << 30) {
            throw new IllegalArgumentException("a bulk window of " + bulkWindow + " bytes is not in 256 KiB..1 GiB");
        }
        if (cacheSize < Protocol.PAGE_SIZE || cacheSize > 32L << 30 || cacheSize % Protocol.PAGE_SIZE != 0) {
            throw new IllegalArgumentException(
                    "a cache of " + cacheSize + " bytes is not a multiple of 4096 in 4 KiB..32 GiB");
        }
        if (cacheLimit == 0) {
            cacheLimit = cacheSize;
        }
        if (cacheLimit < cacheSize || cacheLimit > 32L << 30 || cacheLimit % Protocol.PAGE_SIZE != 0) {
            throw new IllegalArgumentException("a limit of " + cacheLimit
                    + " bytes for the cache is not a multiple of 4096 between its size, " + cacheSize + ", and 32 GiB");
        }
        concluded = true;
        return this;
    }

    long size() {
        return size;
    }

    String export() {
        return export;
    }

    List<DonorAddress> donors() {
        return donors;
    }

    @Nullable
    SlabStore embedded() {
        return embedded;
    }

    @Nullable
    SpillSettings spill() {
        return spill;
    }

    /** Likewise, with a number for the spill at the end, if there is one: it is on none of the donors' machines. */
    int[] machinesAndSpill() {
        int[] machines = machines();
        if (spill == null) {
            return machines;
        }
        int[] all = Arrays.copyOf(machines, machines.length + 1);
        all[machines.length] = machines.length;
        return all;
    }

    Duration patience() {
        return wait;
    }

    Duration requestTimeout() {
        return requestTimeout;
    }

    boolean copiesByDefault() {
        return mostCopies > 0;
    }

    /** How many copies there are at most, whatever donors there are. */
    int mostCopies() {
        return mostCopies > 0 ? mostCopies : copies;
    }

    Duration memberTimeout() {
        return memberTimeout;
    }

    /** For each donor a number of the machine or zone that it is on. */
    int[] machines() {
        if (embedded != null) {
            return new int[1];
        }
        List<String> names =
                donors.stream().map(DonorAddress::machine).distinct().toList();
        return donors.stream().mapToInt(donor -> names.indexOf(donor.machine())).toArray();
    }

    Duration connectTimeout() {
        return connectTimeout;
    }

    @Nullable
    Path stateFile() {
        return stateFile;
    }

    long cacheSize() {
        return cacheSize;
    }

    @Nullable
    LinkTls tls() {
        return tls;
    }

    ByteBufAllocator buffers() {
        return buffers;
    }

    boolean busyPoll() {
        return busyPoll;
    }

    List<BufferRegion> bufferRegions() {
        return bufferRegions;
    }

    long cacheLimit() {
        return cacheLimit;
    }

    PrefetchPolicy prefetchPolicy() {
        return prefetchPolicy;
    }

    LeapSettings prefetchSettings() {
        return prefetchSettings;
    }

    UUID host() {
        return host;
    }

    String owner() {
        return owner;
    }

    TakeoverSettings takeover(int loops) {
        CopiesWish wish = new CopiesWish(
                copies, fewerCopies, Arrays.stream(machines()).boxed().toList());
        return new TakeoverSettings(
                export,
                size,
                loops,
                host,
                owner,
                wish,
                stateFile,
                takeOver,
                fresh,
                loseMissing,
                seals,
                encryption,
                wait);
    }

    int bulkWindow() {
        return bulkWindow;
    }

    private void change() {
        if (concluded) {
            throw new IllegalStateException("the settings are concluded");
        }
    }

    private static void requireBetween(String what, Duration value, Duration most) {
        if (value.compareTo(Duration.ofMillis(1)) < 0 || value.compareTo(most) > 0) {
            throw new IllegalArgumentException(
                    "a " + what + " of " + value.toMillis() + " ms is not in 1.." + most.toMillis() + " ms");
        }
    }
}
