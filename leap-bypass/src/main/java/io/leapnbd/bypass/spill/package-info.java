/** A local file as the place of last resort for pages, which no donor has room or life for: docs/spill.md. */
@NullMarked
package io.leapnbd.bypass.spill;

import org.jspecify.annotations.NullMarked;
