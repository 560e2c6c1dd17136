/** System calls, cgroups and the kernel's files, through the foreign function interface: no fork, no allocation where a call repeats. */
@NullMarked
package io.leapnbd.tools.linux;

import org.jspecify.annotations.NullMarked;
