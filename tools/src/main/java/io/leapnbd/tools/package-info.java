/** The {@code leap-nbd} command line. */
@NullMarked
package io.leapnbd.tools;

import org.jspecify.annotations.NullMarked;
