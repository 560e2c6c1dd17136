/** Tests of the {@code donor} command. */
@NullMarked
package io.leapnbd.tools.donor;

import org.jspecify.annotations.NullMarked;
