/** Prefetched pages: reads and writes go through here to {@code bypass.path}, which does not know of it. */
@NullMarked
package io.leapnbd.bypass.cache;

import org.jspecify.annotations.NullMarked;
