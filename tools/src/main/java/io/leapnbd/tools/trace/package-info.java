/** {@code leap-nbd trace}: makes traces to measure prefetch policies by. */
@NullMarked
package io.leapnbd.tools.trace;

import org.jspecify.annotations.NullMarked;
