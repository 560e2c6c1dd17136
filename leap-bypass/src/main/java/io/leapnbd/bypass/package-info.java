/** The remote device: address map, data path, and links to the donors. */
@NullMarked
package io.leapnbd.bypass;

import org.jspecify.annotations.NullMarked;
