@NullMarked
package io.leapnbd.donor.memory;

import org.jspecify.annotations.NullMarked;
