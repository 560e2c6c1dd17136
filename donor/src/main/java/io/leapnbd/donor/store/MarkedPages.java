package io.leapnbd.donor.store;

import io.leapnbd.donor.protocol.PageMarks;
import io.leapnbd.donor.protocol.Status;

/**
 * The answer to the question which pages of a range are written, and which are lost.
 *
 * @param status one of {@link Status}
 * @param marks of the range; of no page if the status is not {@link Status#OK}
 */
public record MarkedPages(byte status, PageMarks marks) {}
