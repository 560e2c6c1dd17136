@NullMarked
package io.leapnbd.tools.memory;

import org.jspecify.annotations.NullMarked;
