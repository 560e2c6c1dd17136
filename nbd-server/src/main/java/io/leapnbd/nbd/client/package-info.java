/** The client's side of NBD: the negotiation alone, and a small pipelined client for demonstrations and tests. */
@NullMarked
package io.leapnbd.nbd.client;

import org.jspecify.annotations.NullMarked;
