package io.leapnbd.bypass.link;

import io.leapnbd.donor.protocol.HelloReply;
import io.leapnbd.donor.protocol.PrintableText;
import org.jspecify.annotations.Nullable;

/**
 * What a donor lends at most to one owner of exports, this server's.
 *
 * @param owner what the donor knows that owner by, fit for people
 * @param bytes that all its exports may hold there together
 */
public record LendingLimit(String owner, long bytes) {

    /** What a donor has said; null if it has set no limit. */
    static @Nullable LendingLimit of(HelloReply reply) {
        return reply.limit() == HelloReply.Room.UNLIMITED
                ? null
                : new LendingLimit(PrintableText.of(reply.limited()), (long) reply.limit() * reply.slabSize());
    }

    /** Whose limit it is and how much, for a sentence that begins with the donor. */
    @Override
    public String toString() {
        return "lends at most " + (bytes >> 20) + " MiB to all exports of '" + owner
                + "' (its --per-owner or --owners)";
    }
}
