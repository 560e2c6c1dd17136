package io.leapnbd.nbd.server;

import io.leapnbd.nbd.Printable;
import io.leapnbd.nbd.protocol.Negotiation;
import io.leapnbd.nbd.protocol.Transmission;
import io.leapnbd.nbd.spi.BlockDevice;
import io.leapnbd.nbd.spi.RequestObserver;
import io.netty.buffer.ByteBufAllocator;
import io.netty.buffer.PooledByteBufAllocator;
import io.netty.channel.EventLoopGroup;
import io.netty.util.concurrent.EventExecutor;
import io.netty.util.internal.PlatformDependent;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Objects;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The settings of an {@link NbdServer}. Mutable until a server is started with them, which checks them once; after that
 * every setter throws {@link IllegalStateException}. Not thread safe.
 */
public final class NbdServerContext {

    private static final Logger LOG = LoggerFactory.getLogger(NbdServerContext.class);

    private final Map<String, Export> exports = new LinkedHashMap<>();
    private @Nullable EventLoopGroup group;
    private ByteBufAllocator allocator = PooledByteBufAllocator.DEFAULT;
    private RequestObserver.@Nullable Factory observer;
    private int maxRequestsInFlight = 256;
    private long maxBytesInFlight = 64L << 20;
    private int maxConnections;
    private long sharedBytes;
    private long directMemory = PlatformDependent.maxDirectMemory();
    private long otherDirectMemory;
    private Duration handshakeTimeout = Duration.ofSeconds(10);
    private Duration stallTimeout = Duration.ofSeconds(30);
    private @Nullable NbdTls tls;
    private @Nullable BufferPlan plan;
    private boolean concluded;

    /** Starts with the defaults, and with no export. */
    public NbdServerContext() {}

    /**
     * Adds an export. The first one added is also what a client gets that asks for the default export, {@code ""}.
     *
     * @param name at most 4,096 bytes in UTF-8, without NUL; may be empty
     * @throws IllegalArgumentException when the name is taken or cannot travel
     */
    public NbdServerContext export(String name, BlockDevice device) {
        checkOpen();
        checkString("export name", name);
        checkString("description of export '" + Printable.of(name) + "'", device.description());
        if (device.size() <= 0) {
            throw new IllegalArgumentException("export '" + Printable.of(name) + "' has a size of " + device.size()
                    + " bytes; it must be above zero");
        }
        if (exports.putIfAbsent(name, new Export(name, device)) != null) {
            throw new IllegalArgumentException(
                    "there are two exports named '" + Printable.of(name) + "'; names must differ");
        }
        return this;
    }

    /** The event loops, which must be epoll ones. Required; stays the caller's to shut down, after the server's close. */
    public NbdServerContext group(EventLoopGroup group) {
        checkOpen();
        this.group = group;
        return this;
    }

    /** Where buffers come from; must hand out direct ones. Default: Netty's pooled allocator. */
    public NbdServerContext allocator(ByteBufAllocator allocator) {
        checkOpen();
        this.allocator = allocator;
        return this;
    }

    /** Who sees every request end. Default: nobody. */
    public NbdServerContext observer(RequestObserver.Factory observer) {
        checkOpen();
        this.observer = observer;
        return this;
    }

    /** TLS for clients that ask for it. Default: none. Stays the caller's to close, after the server's close. */
    public NbdServerContext tls(@Nullable NbdTls offered) {
        checkOpen();
        this.tls = offered;
        return this;
    }

    /** Requests that one connection may have in the device at once; beyond it the connection is not read. 1..65,536. */
    public NbdServerContext maxRequestsInFlight(int requests) {
        checkOpen();
        checkRange("maxRequestsInFlight", requests, 1, 1 << 16);
        this.maxRequestsInFlight = requests;
        return this;
    }

    /**
     * Bytes of payload and reply data that one connection's requests in the device may hold; beyond it the connection is
     * not read. At least 32 MiB, which is what one request may carry.
     */
    public NbdServerContext maxBytesInFlight(long bytes) {
        checkOpen();
        checkRange("maxBytesInFlight", bytes, Transmission.MAX_PAYLOAD, 1L << 40);
        this.maxBytesInFlight = bytes;
        return this;
    }

    /**
     * Connections at once, over all listeners; a further one is closed as it comes, unless one in its handshake can make room.
     * 1..65,536; default 256, or as many as there is memory for.
     */
    public NbdServerContext maxConnections(int connections) {
        checkOpen();
        checkRange("maxConnections", connections, 1, 1 << 16);
        this.maxConnections = connections;
        return this;
    }

    /**
     * Bytes of payload and reply data that all clients may have in buffers at once, beyond 128 KiB that each connection has for
     * itself; who needs more waits. At least 32 MiB; default 64 MiB, or what there is memory for.
     */
    public NbdServerContext sharedBytes(long bytes) {
        checkOpen();
        checkRange("sharedBytes", bytes, BufferPlan.LEAST_SHARED, 1L << 40);
        this.sharedBytes = bytes;
        return this;
    }

    /** Bytes of direct memory that this process may take. Default: what the JVM allows, {@code -XX:MaxDirectMemorySize}. */
    public NbdServerContext directMemory(long bytes) {
        checkOpen();
        checkRange("directMemory", bytes, 1, Long.MAX_VALUE);
        this.directMemory = bytes;
        return this;
    }

    /** Bytes of direct memory that others in this process need: devices, and what else there is. Default 0. */
    public NbdServerContext otherDirectMemory(long bytes) {
        checkOpen();
        checkRange("otherDirectMemory", bytes, 0, 1L << 40);
        this.otherDirectMemory = bytes;
        return this;
    }

    /**
     * How long a client may stand still in the middle of a payload, or with replies that it does not take, before its
     * connection is dropped. A payload may take a second for each 256 KiB longer. At least 1 ms; default 30 s.
     */
    public NbdServerContext stallTimeout(Duration timeout) {
        checkOpen();
        checkRange(
                "stallTimeout in milliseconds",
                timeout.toMillis(),
                1,
                Duration.ofDays(1).toMillis());
        this.stallTimeout = timeout;
        return this;
    }

    /** How long a client may take from connecting to the transmission phase. Above zero; default 10 s. */
    public NbdServerContext handshakeTimeout(Duration timeout) {
        checkOpen();
        if (timeout.isNegative() || timeout.isZero()) {
            throw new IllegalArgumentException("handshakeTimeout is " + timeout + "; it must be above zero");
        }
        this.handshakeTimeout = timeout;
        return this;
    }

    /** Checks that nothing is missing and locks the settings. */
    void conclude() {
        checkOpen();
        if (exports.isEmpty()) {
            throw new IllegalArgumentException("the server has no export; add one with export(name, device)");
        }
        if (group == null) {
            throw new IllegalArgumentException("the server has no event loops; set them with group(...)");
        }
        int loops = 0;
        for (EventExecutor _ : group) {
            loops++;
        }
        BufferPlan fits =
                BufferPlan.of(directMemory, otherDirectMemory, loops, maxConnections, sharedBytes, tls != null);
        if (maxConnections == 0 && fits.connections() < BufferPlan.DEFAULT_CONNECTIONS) {
            LOG.info(
                    "direct memory of {} MiB is enough for {} connections; raise -XX:MaxDirectMemorySize for more",
                    directMemory >> 20,
                    fits.connections());
        }
        plan = fits;
        concluded = true;
    }

    /** How memory is divided; there once these settings are concluded. */
    BufferPlan plan() {
        return Objects.requireNonNull(plan);
    }

    Map<String, Export> exports() {
        return exports;
    }

    EventLoopGroup group() {
        return Objects.requireNonNull(group);
    }

    ByteBufAllocator allocator() {
        return allocator;
    }

    RequestObserver.@Nullable Factory observer() {
        return observer;
    }

    @Nullable
    NbdTls tls() {
        return tls;
    }

    int maxRequestsInFlight() {
        return maxRequestsInFlight;
    }

    long maxBytesInFlight() {
        return maxBytesInFlight;
    }

    Duration stallTimeout() {
        return stallTimeout;
    }

    Duration handshakeTimeout() {
        return handshakeTimeout;
    }

    private void checkOpen() {
        if (concluded) {
            throw new IllegalStateException("a server has been started with these settings; they cannot change now");
        }
    }

    private static void checkRange(String name, long value, long least, long most) {
        if (value < least || value > most) {
            throw new IllegalArgumentException(
                    name + " is " + value + "; it must be at least " + least + " and at most " + most);
        }
    }

    private static void checkString(String what, String value) {
        if (value.indexOf('\0') >= 0 || value.getBytes(StandardCharsets.UTF_8).length > Negotiation.MAX_STRING) {
            throw new IllegalArgumentException(
                    "the " + what + " must be free of NUL and at most " + Negotiation.MAX_STRING + " bytes in UTF-8");
        }
    }
}
