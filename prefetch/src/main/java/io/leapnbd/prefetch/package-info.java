/** Access history, trends, windows, candidates, and the cache of prefetched pages: pure algorithms, no I/O, no threads. */
@NullMarked
package io.leapnbd.prefetch;

import org.jspecify.annotations.NullMarked;
