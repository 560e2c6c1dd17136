@NullMarked
package io.leapnbd.tools.record;

import org.jspecify.annotations.NullMarked;
