/** Checks what a machine needs to swap to remote memory, and says what to fix. */
@NullMarked
package io.leapnbd.tools.doctor;

import org.jspecify.annotations.NullMarked;
