@NullMarked
package io.leapnbd.bypass.cache;

import org.jspecify.annotations.NullMarked;
