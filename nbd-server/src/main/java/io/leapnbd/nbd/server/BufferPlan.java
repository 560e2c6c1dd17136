package io.leapnbd.nbd.server;

import io.leapnbd.nbd.protocol.Transmission;

/**
 * How the direct memory that a process may take is divided, before the first client comes. All sizes in bytes.
 *
 * <pre>
 *   limit = others                                 links to donors and what else there is
 *         + connections x  receive buffer          256 KiB
 *                        + share and replies       (128 + 32) KiB, and a quarter more
 *                        + with TLS                256 KiB: received, decrypted, encrypted
 *         + loops       x  slack                   5 MiB: a chunk begun, and what is taken between two looks
 *         + shared                                 64 MiB, and a quarter more
 * </pre>
 *
 * The quarter is what the allocator rounds up by at most.
 *
 * @param connections how many there may be at once
 * @param share that each connection has for requests and for the replies that have not left
 * @param shared for what goes beyond that, all connections together
 * @param sharedUpTo what the allocator may have taken when shared bytes are given out
 * @param ownUpTo what it may have taken when a connection takes of its own
 */
record BufferPlan(int connections, int share, long shared, long sharedUpTo, long ownUpTo) {

    private static final long MIB = 1 << 20;

    /** A write of the size that Linux swaps out in. */
    static final int SHARE = 128 << 10;

    /** Replies without data that a client may leave unread. */
    static final int SHORT_REPLIES = 32 << 10;

    static final long DEFAULT_SHARED = 64 * MIB;

    static final int DEFAULT_CONNECTIONS = 256;

    /** One request of the largest payload. */
    static final long LEAST_SHARED = Transmission.MAX_PAYLOAD;

    /** With fewer a server of defaults is not worth its start. */
    private static final int LEAST_CONNECTIONS = 16;

    private static final long CONNECTION = ReceiveBuffer.CAPACITY + rounded(SHARE + SHORT_REPLIES);

    private static final long TLS = 4L * ReceiveBuffer.ENCRYPTED;

    private static final long LOOP = 4 * MIB + 2 * LoopBuffers.SAMPLE_BYTES;

    /**
     * Divides the memory. What was not asked for is made smaller until it fits.
     *
     * @param limit what the process may take
     * @param others what others in the process need
     * @param loops event loops
     * @param connections that there should be, or 0 for the default or as many as fit
     * @param shared that there should be, or 0 for the default or what fits
     * @param tls whether connections may use TLS
     * @throws IllegalArgumentException when it does not fit, in one sentence
     */
    static BufferPlan of(long limit, long others, int loops, int connections, long shared, boolean tls) {
        long fixed = others + loops * LOOP;
        long each = CONNECTION + (tls ? TLS : 0);
        int most = connections > 0 ? connections : DEFAULT_CONNECTIONS;
        long bytes = shared > 0 ? shared : DEFAULT_SHARED;
        if (shared == 0 && fixed + most * each + rounded(bytes) > limit) {
            bytes = Math.max(LEAST_SHARED, (limit - fixed - most * each) * 4 / 5);
        }
        if (connections == 0 && fixed + most * each + rounded(bytes) > limit) {
            most = Math.clamp((limit - fixed - rounded(bytes)) / each, LEAST_CONNECTIONS, most);
        }
        long need = fixed + most * each + rounded(bytes);
        if (need > limit) {
            throw new IllegalArgumentException("the server's buffers need " + mib(need) + " MiB ("
                    + mib(rounded(bytes)) + " shared by its clients, " + mib(most * each) + " for " + most
                    + " connections, " + mib(loops * LOOP) + " for " + loops + " loops, " + mib(others)
                    + " for others) and the process may take " + limit / MIB
                    + " MiB; raise -XX:MaxDirectMemorySize to " + mib(need)
                    + "m, or have fewer connections, loops or shared bytes");
        }
        long receive = most * (ReceiveBuffer.CAPACITY + (tls ? TLS : 0));
        return new BufferPlan(most, SHARE, bytes, limit - fixed - most * each, limit - fixed - receive);
    }

    /** What an allocator takes for so many bytes at most. */
    private static long rounded(long bytes) {
        return bytes + bytes / 4;
    }

    private static long mib(long bytes) {
        return Math.ceilDiv(bytes, MIB);
    }
}
