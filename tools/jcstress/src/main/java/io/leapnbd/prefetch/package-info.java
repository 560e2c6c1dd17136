/** What threads can see of the page cache. */
@NullMarked
package io.leapnbd.prefetch;

import org.jspecify.annotations.NullMarked;
