package io.leapnbd.donor.store;

import io.leapnbd.donor.protocol.HelloReply;
import io.leapnbd.donor.protocol.Status;
import org.jspecify.annotations.Nullable;

/**
 * The answer to a hello.
 *
 * @param status {@link Status#OK}; {@link Status#CONFLICT} for a claim that has observed something else; {@link Status#FENCED} for a
 *     join of an epoch or instance that is not the export's; {@link Status#UNSUPPORTED_VERSION}; {@link Status#BAD_REQUEST} for a
 *     hello that contradicts itself; {@link Status#NO_SPACE} if the donor knows as many exports, or keeps as many notes, as it may;
 *     {@link Status#OTHER_IDENTITY} for an export that belongs to another identity
 * @param reply the body of the reply; there if the status is OK, CONFLICT or FENCED
 * @param claim what later requests are made with, until it is closed; there if the status is OK
 * @param belongsTo whose the export is; there if the status is OTHER_IDENTITY
 */
public record Admission(
        byte status,
        @Nullable HelloReply reply,
        @Nullable Claim claim,
        @Nullable Identity belongsTo) {

    static Admission refused(byte status) {
        return new Admission(status, null, null, null);
    }

    static Admission told(byte status, HelloReply reply) {
        return new Admission(status, reply, null, null);
    }

    static Admission accepted(HelloReply reply, Claim claim) {
        return new Admission(Status.OK, reply, claim, null);
    }

    static Admission ofAnother(Identity owner) {
        return new Admission(Status.OTHER_IDENTITY, null, null, owner);
    }
}
