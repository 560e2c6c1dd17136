/** Which slab of which donor holds which part of the device, which pages were written, and which were lost. */
@NullMarked
package io.leapnbd.bypass.map;

import org.jspecify.annotations.NullMarked;
