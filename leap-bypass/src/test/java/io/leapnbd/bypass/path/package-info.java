@NullMarked
package io.leapnbd.bypass.path;

import org.jspecify.annotations.NullMarked;
