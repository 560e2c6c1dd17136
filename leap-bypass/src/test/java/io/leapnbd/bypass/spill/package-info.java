@NullMarked
package io.leapnbd.bypass.spill;

import org.jspecify.annotations.NullMarked;
