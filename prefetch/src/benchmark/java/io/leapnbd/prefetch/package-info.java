@NullMarked
package io.leapnbd.prefetch;

import org.jspecify.annotations.NullMarked;
