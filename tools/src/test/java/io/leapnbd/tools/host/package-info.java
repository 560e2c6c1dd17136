/** Tests of the agent. */
@NullMarked
package io.leapnbd.tools.host;

import org.jspecify.annotations.NullMarked;
