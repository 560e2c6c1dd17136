/**
 * The NBD server: listeners, the handshake, and the transmission phase of each connection.
 *
 * <p>The way of a request: {@code Connection} (the only handler of a channel) has Netty receive into its
 * {@code ReceiveBuffer}; {@code TransmissionPhase} decodes a header where it lies, checks it, and submits a pooled
 * {@code Request} to the connection's {@code DeviceQueue}; the device completes the request, {@code ReplyWriter} writes
 * header and data as one buffer, and the connection flushes once at the end of the turn.
 */
@NullMarked
package io.leapnbd.nbd.server;

import org.jspecify.annotations.NullMarked;
