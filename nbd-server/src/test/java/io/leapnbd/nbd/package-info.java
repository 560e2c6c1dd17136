@NullMarked
package io.leapnbd.nbd;

import org.jspecify.annotations.NullMarked;
