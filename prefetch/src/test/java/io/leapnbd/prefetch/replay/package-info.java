@NullMarked
package io.leapnbd.prefetch.replay;

import org.jspecify.annotations.NullMarked;
