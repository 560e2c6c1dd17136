@NullMarked
package io.leapnbd.bypass.queued;

import org.jspecify.annotations.NullMarked;
