package io.leapnbd.donor.net;

/**
 * A listener at one moment. Counters begin at its start.
 *
 * @param openLinks connections that are open
 * @param accepted connections that were served
 * @param turnedAway connections closed at once, there being too many
 * @param badRequests links closed because the peer did not follow the protocol
 * @param timeouts links closed because the peer was silent
 * @param fencedOff links closed because a newer server claimed their export
 * @param pauses how often a link was not read because its peer did not read, or because there was no memory
 * @param evicted links closed because they had claimed nothing and another one needed their place
 */
public record ServerStatistics(
        int openLinks,
        long accepted,
        long turnedAway,
        long badRequests,
        long timeouts,
        long fencedOff,
        long pauses,
        long evicted) {}
