/**
 * The NBD protocol (fixed newstyle handshake and transmission phase) and its sockets, in front of anything that
 * implements {@link io.leapnbd.nbd.spi.BlockDevice}. A library: nothing in here knows of donors.
 */
@NullMarked
package io.leapnbd.nbd;

import org.jspecify.annotations.NullMarked;
