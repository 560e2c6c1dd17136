/** Memory outside the Java heap, by the kernel's own calls: reserved, made resident, locked, given back, copied. */
@NullMarked
package io.leapnbd.donor.memory;

import org.jspecify.annotations.NullMarked;
