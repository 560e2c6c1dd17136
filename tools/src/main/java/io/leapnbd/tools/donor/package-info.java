/** The {@code donor} command: lends this machine's memory. */
@NullMarked
package io.leapnbd.tools.donor;

import org.jspecify.annotations.NullMarked;
