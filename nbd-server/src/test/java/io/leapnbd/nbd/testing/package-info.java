/** What tests of this and other modules share: devices in memory, faults with names, a server, and a model to compare with. */
@NullMarked
package io.leapnbd.nbd.testing;

import org.jspecify.annotations.NullMarked;
