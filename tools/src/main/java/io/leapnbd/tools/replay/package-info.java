/** {@code leap-nbd replay}: what prefetch policies would have made of a recorded trace. */
@NullMarked
package io.leapnbd.tools.replay;

import org.jspecify.annotations.NullMarked;
