package io.leapnbd.donor.net;

import java.net.InetSocketAddress;
import java.time.Duration;

/**
 * What a donor's listener is started with. Immutable; begin with {@link #listenOn}.
 *
 * @param address to listen on; port 0 takes a free one
 * @param eventLoops how many event loops to start; 0 for one per processor. Without meaning if a group is given
 * @param busyPoll whether event loops look for something to do all the time, instead of sleeping
 * @param maxLinks open links at a time; more are closed as they come
 * @param helloTimeout how long a fresh link may take to say hello
 * @param idleTimeout how long a link may be silent; servers ping every few seconds
 * @param lingerTimeout how long a refused link is kept for the peer to read why
 */
public record ServerSettings(
        InetSocketAddress address,
        int eventLoops,
        boolean busyPoll,
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
        if (eventLoops < 0 || eventLoops > 1024) {
            throw new IllegalArgumentException("a number of event loops of " + eventLoops + " is not in 0..1024");
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
                0,
                false,
                DEFAULT_MAX_LINKS,
                Duration.ofSeconds(5),
                Duration.ofSeconds(60),
                Duration.ofSeconds(2));
    }

    /** These with another number of event loops. */
    public ServerSettings withEventLoops(int other) {
        return new ServerSettings(address, other, busyPoll, maxLinks, helloTimeout, idleTimeout, lingerTimeout);
    }

    /** These with loops that poll, or that do not. */
    public ServerSettings withBusyPoll(boolean other) {
        return new ServerSettings(address, eventLoops, other, maxLinks, helloTimeout, idleTimeout, lingerTimeout);
    }

    /** These with another limit of links. */
    public ServerSettings withMaxLinks(int other) {
        return new ServerSettings(address, eventLoops, busyPoll, other, helloTimeout, idleTimeout, lingerTimeout);
    }

    /** These with other deadlines. */
    public ServerSettings withTimeouts(Duration hello, Duration idle, Duration linger) {
        return new ServerSettings(address, eventLoops, busyPoll, maxLinks, hello, idle, linger);
    }

    private static void requirePositive(String what, Duration timeout) {
        if (timeout.compareTo(Duration.ofMillis(1)) < 0 || timeout.compareTo(Duration.ofDays(1)) > 0) {
            throw new IllegalArgumentException("a " + what + " timeout of " + timeout + " is not in 1 ms..1 day");
        }
    }
}
