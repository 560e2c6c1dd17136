/** What Java has no words for: functions of the C library and of others, and a thread's processors. */
@NullMarked
package io.leapnbd.donor.linux;

import org.jspecify.annotations.NullMarked;
