@NullMarked
package io.leapnbd.donor.store;

import org.jspecify.annotations.NullMarked;
