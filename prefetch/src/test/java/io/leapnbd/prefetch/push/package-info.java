/** Tests of what is pushed, against a kernel that follows a script. */
@NullMarked
package io.leapnbd.prefetch.push;

import org.jspecify.annotations.NullMarked;
