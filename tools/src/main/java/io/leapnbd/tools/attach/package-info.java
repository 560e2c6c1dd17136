/** The client host's side: connects the kernel's nbd driver to a server, keeps it connected, and swaps on it. */
@NullMarked
package io.leapnbd.tools.attach;

import org.jspecify.annotations.NullMarked;
