/**
 * The numbers of the NBD protocol, as its own document ({@code doc/proto.md} of the NetworkBlockDevice project) defines
 * them. Section names in this project's comments are those of that document. All integers travel in network byte order.
 */
@NullMarked
package io.leapnbd.nbd.protocol;

import org.jspecify.annotations.NullMarked;
