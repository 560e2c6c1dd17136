package io.leapnbd.donor.store;

import io.leapnbd.donor.protocol.PageMarks;
import java.util.List;

/**
 * A slab as it was found in a {@link SlabFile}.
 *
 * @param slab what it is
 * @param touched whether a write or trim has reached it
 * @param marks of its pages, a piece of {@link SlabFile#MARKS_RANGE} each from the first on; what is missing at the end is blank
 */
public record KeptPages(KeptSlab slab, boolean touched, List<PageMarks> marks) {}
