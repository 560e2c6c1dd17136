@NullMarked
package io.leapnbd.bypass.link;

import org.jspecify.annotations.NullMarked;
