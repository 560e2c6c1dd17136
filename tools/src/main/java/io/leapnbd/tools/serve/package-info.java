/** The {@code serve} command: a remote device behind an NBD server. */
@NullMarked
package io.leapnbd.tools.serve;

import org.jspecify.annotations.NullMarked;
