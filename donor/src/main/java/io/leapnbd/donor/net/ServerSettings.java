package io.leapnbd.donor.net;

import io.leapnbd.donor.loop.LoopSettings;
import java.net.InetSocketAddress;
import java.time.Duration;

/**
 * What a donor's listener is started with. Immutable; begin with {@link #listenOn}.
 *
 * @param address to listen on; port 0 takes a free one
 * @param loops the event loops to start. Without meaning if a group is given
 * @param maxLinks open links at a time; more are closed as they come
 * @param helloTimeout how long a fresh link may take to say hello
 * @param idleTimeout how long a link may be silent; servers ping every few seconds
 * @param lingerTimeout how long a refused link is kept for the peer to read why
 */
public record ServerSettings(
        InetSocketAddress address,
        LoopSettings loops,
        int maxLinks,
        Duration helloTimeout,
        Duration idleTimeout,
        Duration lingerTimeout) {

    /** Open links at a time, unless told otherwise. */
    public static final int DEFAULT_MAX_LINKS = 1024;

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
    }

    /** Defaults for everything else. */
    public static ServerSettings listenOn(InetSocketAddress address) {
        return new ServerSettings(
                address,
                LoopSettings.perProcessor(),
                DEFAULT_MAX_LINKS,
                Duration.ofSeconds(5),
                Duration.ofSeconds(60),
                Duration.ofSeconds(2));
    }

    /** These with other event loops. */
    public ServerSettings withLoops(LoopSettings other) {
        return new ServerSettings(address, other, maxLinks, helloTimeout, idleTimeout, lingerTimeout);
    }

    /** These with another limit of links. */
    public ServerSettings withMaxLinks(int other) {
        return new ServerSettings(address, loops, other, helloTimeout, idleTimeout, lingerTimeout);
    }

    /** These with other deadlines. */
    public ServerSettings withTimeouts(Duration hello, Duration idle, Duration linger) {
        return new ServerSettings(address, loops, maxLinks, hello, idle, linger);
    }

    private static void requirePositive(String what, Duration timeout) {
        if (timeout.compareTo(Duration.ofMillis(1)) < 0 || timeout.compareTo(Duration.ofDays(1)) > 0) {
            throw new IllegalArgumentException("a " + what + " timeout of " + timeout + " is not in 1 ms..1 day");
        }
    }
}
