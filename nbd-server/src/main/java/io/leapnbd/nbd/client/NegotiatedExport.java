package io.leapnbd.nbd.client;

import io.leapnbd.nbd.protocol.Transmission;

/**
 * What a server has told of the export that a handshake has opened.
 *
 * @param name the server's own name for it, which differs from the one asked for when that was the default export
 * @param size bytes
 * @param transmissionFlags as in "Transmission flags", for instance {@link Transmission#READ_ONLY}
 * @param description one line for people; may be empty
 * @param minBlock bytes to which offsets and lengths must be aligned; 1 when the server has not said
 * @param preferredBlock bytes to which they had better be aligned; 4,096 when the server has not said
 * @param maxPayload most bytes of one read or write; 32 MiB when the server has not said
 * @param structured whether the server will send structured replies
 */
public record NegotiatedExport(
        String name,
        long size,
        int transmissionFlags,
        String description,
        long minBlock,
        long preferredBlock,
        long maxPayload,
        boolean structured) {

    /** Whether all of {@code flags}, of {@link Transmission}, are set. */
    public boolean has(int flags) {
        return (transmissionFlags & flags) == flags;
    }
}
