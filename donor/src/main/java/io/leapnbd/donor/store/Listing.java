package io.leapnbd.donor.store;

import io.leapnbd.donor.protocol.SlabList;
import io.leapnbd.donor.protocol.Status;

/**
 * The answer to a list.
 *
 * @param status one of {@link Status}
 * @param slabs some of the export's slabs, by growing index; empty if the status is not {@link Status#OK}
 */
public record Listing(byte status, SlabList slabs) {}
