package io.leapnbd.donor.net;

import io.leapnbd.donor.store.SlabStore;
import io.leapnbd.donor.tls.LinkTls;
import org.jspecify.annotations.Nullable;

/**
 * What all links of a listener share.
 *
 * @param store what they are served from
 * @param settings their deadlines and limits
 * @param counters what is counted of them
 * @param places who may be connected
 * @param memory what they may use
 * @param tls who they have to show to be; null if they need not
 * @param handshakes those of them that have to show who they are and have not
 * @param log for what their peers do
 */
record Listener(
        SlabStore store,
        ServerSettings settings,
        ServerCounters counters,
        LinkPlaces places,
        LinkMemory memory,
        @Nullable LinkTls tls,
        LinkPlaces handshakes,
        LimitedLog log) {

    /** Links that may be in their TLS handshake at a time. When there are more, the oldest one makes room. */
    static final int MOST_HANDSHAKES = 128;

    /** Without links in their handshake. */
    Listener(
            SlabStore store,
            ServerSettings settings,
            ServerCounters counters,
            LinkPlaces places,
            LinkMemory memory,
            @Nullable LinkTls tls,
            LimitedLog log) {
        this(store, settings, counters, places, memory, tls, new LinkPlaces(MOST_HANDSHAKES), log);
    }
}
