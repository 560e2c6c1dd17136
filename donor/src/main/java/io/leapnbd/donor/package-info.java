/** The donor: a process that lends its machine's memory in slabs. */
@NullMarked
package io.leapnbd.donor;

import org.jspecify.annotations.NullMarked;
