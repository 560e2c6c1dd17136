/** Starts a command, or moves a process, into a memory-limited cgroup of its own. */
@NullMarked
package io.leapnbd.tools.run;

import org.jspecify.annotations.NullMarked;
