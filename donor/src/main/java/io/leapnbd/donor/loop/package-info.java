/** Event loops as servers and donors run them: how they wait, and a watch on how long their turns are. */
@NullMarked
package io.leapnbd.donor.loop;

import org.jspecify.annotations.NullMarked;
