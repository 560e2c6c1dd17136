package io.leapnbd.nbd.server;

import java.time.Instant;

/**
 * One connection, as {@code status} shows it.
 *
 * @param id counts from 1 in a server's life
 * @param peer the client's address, or its process and user over a Unix socket
 * @param security version of TLS, and the name on the client's certificate or of its key; empty without TLS
 * @param export the export's name; empty during the handshake too
 * @param transmitting whether the handshake is over
 * @param opened when it was accepted
 * @param requestsInFlight requests that the device has not completed
 * @param bytesInFlight bytes of data that these hold
 */
public record ConnectionInfo(
        long id,
        String peer,
        String security,
        String export,
        boolean transmitting,
        Instant opened,
        int requestsInFlight,
        long bytesInFlight) {}
