/** Tests of the agent. */
@NullMarked
package io.leapnbd.tools.push;

import org.jspecify.annotations.NullMarked;
