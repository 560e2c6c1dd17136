package io.leapnbd.donor.protocol;

import io.netty.buffer.ByteBuf;
import java.util.UUID;

/**
 * A server that owns an export, or wants to: what it says of itself in a claim, and what a donor tells others of it.
 *
 * @param instance random number of the server process; {@link HelloReply#NONE} if there is no server
 * @param term the server's number among those of the export, 1 to {@link Version#MAX_TERM}; 0 if there is no server
 * @param host number of the machine that it runs on
 * @param owner what people call it, up to {@link Protocol#MAX_OWNER} bytes in UTF-8
 */
public record Claimant(UUID instance, long term, UUID host, String owner) {

    /** No server. */
    public static final Claimant NOBODY = of(HelloReply.NONE);

    /** A server of which only the instance is told. */
    public static Claimant of(UUID instance) {
        return new Claimant(instance, 0, HelloReply.NONE, "");
    }

    /** Bytes of term and host. */
    static final int TERM_AND_HOST = 8 + 16;

    void encodeTermAndHost(ByteBuf out) {
        out.writeLong(term);
        Fields.writeUuid(out, host);
    }
}
