package io.leapnbd.bypass.link;

import io.leapnbd.donor.protocol.HelloReply;
import org.jspecify.annotations.Nullable;

/**
 * The answer to a hello.
 *
 * @param status one of {@link io.leapnbd.donor.protocol.Status}
 * @param reply what the donor knows of the export; null if it refused without telling
 */
public record Greeted(byte status, @Nullable HelloReply reply) {}
