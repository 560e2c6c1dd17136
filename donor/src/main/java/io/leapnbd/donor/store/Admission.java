package io.leapnbd.donor.store;

import io.leapnbd.donor.protocol.HelloReply;
import io.leapnbd.donor.protocol.Status;
import org.jspecify.annotations.Nullable;

/**
 * The answer to a hello.
 *
 * @param status {@link Status#OK}; {@link Status#CONFLICT} for a claim that has observed something else; {@link Status#FENCED} for a
 *     join of an epoch or instance that is not the export's; {@link Status#UNSUPPORTED_VERSION}; {@link Status#BAD_REQUEST} for a
 *     hello that contradicts itself; {@link Status#NO_SPACE} if the donor knows as many exports, or keeps as many notes, as it may
 * @param reply the body of the reply; there if the status is OK, CONFLICT or FENCED
 * @param claim what later requests are made with, until it is closed; there if the status is OK
 */
public record Admission(
        byte status, @Nullable HelloReply reply, @Nullable Claim claim) {}
