/** What event loops can see of the state of the remote device that they share. */
@NullMarked
package io.leapnbd.bypass.cache;

import org.jspecify.annotations.NullMarked;
