@NullMarked
package io.leapnbd.tools.histogram;

import org.jspecify.annotations.NullMarked;
