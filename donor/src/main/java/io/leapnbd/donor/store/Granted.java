package io.leapnbd.donor.store;

import io.leapnbd.donor.protocol.Status;

/**
 * The answer to a grant.
 *
 * @param status one of {@link Status}
 * @param handle of the slab, above zero; 0 if the status is not {@link Status#OK}
 */
public record Granted(byte status, int handle) {}
