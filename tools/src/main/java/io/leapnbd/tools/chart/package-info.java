/** Pictures and pages that need nothing but themselves. */
@NullMarked
package io.leapnbd.tools.chart;

import org.jspecify.annotations.NullMarked;
