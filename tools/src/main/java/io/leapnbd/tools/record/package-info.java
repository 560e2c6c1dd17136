/** Writes down what clients ask of a device, in the order in which they do, for {@code replay}. */
@NullMarked
package io.leapnbd.tools.record;

import org.jspecify.annotations.NullMarked;
