package io.leapnbd.donor.net;

import io.leapnbd.donor.loop.LoopSettings;
import java.net.InetSocketAddress;
import java.time.Duration;

/**
 * What a donor's listener is started with. Immutable; begin with {@link #listenOn}.
 *
 * @param address to listen on; port 0 takes a free one
 * @param loops the event loops to start. Without meaning if a group is given
 * @param maxLinks open links at a time; if all have claimed, more are closed as they come
 * @param helloTimeout how long a link may take to say a hello that is accepted
 * @param idleTimeout how long a link may be silent; servers ping every few seconds
 * @param lingerTimeout how long a refused link is kept for the peer to read why, and any link when the server is closed
 * @param observerTimeout how long a link that only observes may be silent
 * @param frameTimeout how long half a request may stay, and how long replies may wait to be read
 * @param memory shared bytes for requests and replies of all links, 4 MiB or more; see {@code LinkMemory}
 */
public record ServerSettings(
        InetSocketAddress address,
        LoopSettings loops,
        int maxLinks,
        Duration helloTimeout,
        Duration idleTimeout,
        Duration lingerTimeout,
        Duration observerTimeout,
        Duration frameTimeout,
        long memory) {

    /** Open links at a time, unless told otherwise. */
    public static final int DEFAULT_MAX_LINKS = 1024;

    /** Shared bytes for requests and replies, unless told otherwise. */
    public static final long DEFAULT_MEMORY = 64 << 20;

    private static final long MIN_MEMORY = 4 << 20;

    /**
     * Checks every setting.
     *
     * @throws IllegalArgumentException with one sentence that says what is wrong
     */
    public ServerSettings {
        if (address.isUnresolved()) {
            throw new IllegalArgumentException(
                    "the host " + address.getHostString() + " is not known: give an address of this machine");
        }
        if (maxLinks < 1) {
            throw new IllegalArgumentException("a limit of " + maxLinks + " links lets nobody in: give 1 or more");
        }
        requirePositive("hello", helloTimeout);
        requirePositive("idle", idleTimeout);
        requirePositive("linger", lingerTimeout);
        requirePositive("observer", observerTimeout);
        requirePositive("frame", frameTimeout);
        if (memory < MIN_MEMORY) {
            throw new IllegalArgumentException("memory of " + memory + " bytes for links is below " + MIN_MEMORY
                    + ": the largest requests and replies would not fit");
        }
    }

    /** Defaults for everything else. */
    public static ServerSettings listenOn(InetSocketAddress address) {
        return new ServerSettings(
                address,
                LoopSettings.perProcessor(),
                DEFAULT_MAX_LINKS,
                Duration.ofSeconds(5),
                Duration.ofSeconds(60),
                Duration.ofSeconds(2),
                Duration.ofSeconds(10),
                Duration.ofSeconds(30),
                DEFAULT_MEMORY);
    }

    /** These with other event loops. */
    public ServerSettings withLoops(LoopSettings other) {
        return new ServerSettings(
                address,
                other,
                maxLinks,
                helloTimeout,
                idleTimeout,
                lingerTimeout,
                observerTimeout,
                frameTimeout,
                memory);
    }

    /** These with another limit of links. */
    public ServerSettings withMaxLinks(int other) {
        return new ServerSettings(
                address, loops, other, helloTimeout, idleTimeout, lingerTimeout, observerTimeout, frameTimeout, memory);
    }

    /** These with other deadlines. */
    public ServerSettings withTimeouts(Duration hello, Duration idle, Duration linger) {
        return new ServerSettings(address, loops, maxLinks, hello, idle, linger, observerTimeout, frameTimeout, memory);
    }

    /** These with another limit of an observer's silence. */
    public ServerSettings withObserverTimeout(Duration other) {
        return new ServerSettings(
                address, loops, maxLinks, helloTimeout, idleTimeout, lingerTimeout, other, frameTimeout, memory);
    }

    /** These with another deadline for half-sent requests, and for replies that are not read. */
    public ServerSettings withFrameTimeout(Duration other) {
        return new ServerSettings(
                address, loops, maxLinks, helloTimeout, idleTimeout, lingerTimeout, observerTimeout, other, memory);
    }

    /** These with another amount of shared memory. */
    public ServerSettings withMemory(long other) {
        return new ServerSettings(
                address,
                loops,
                maxLinks,
                helloTimeout,
                idleTimeout,
                lingerTimeout,
                observerTimeout,
                frameTimeout,
                other);
    }

    private static void requirePositive(String what, Duration timeout) {
        if (timeout.compareTo(Duration.ofMillis(1)) < 0 || timeout.compareTo(Duration.ofDays(1)) > 0) {
            throw new IllegalArgumentException("a " + what + " timeout of " + timeout + " is not in 1 ms..1 day");
        }
    }
}
