/**
 * The donor wire protocol, version 1: what a server and a donor say to each other over one connection (a <i>link</i>). {@code donor/PROTOCOL.md} is the
 * document; what follows is the gist of it.
 *
 * <p>Every frame is a fixed header, then {@code payload} bytes; all integers are big-endian. The server sends
 * {@linkplain io.leapnbd.donor.protocol.RequestHeader requests}, the donor answers each with exactly one
 * {@linkplain io.leapnbd.donor.protocol.ReplyHeader reply} that carries the request's cookie, in any order. Requests are
 * pipelined up to the {@code maxInFlight} of the hello.
 *
 * <p><b>Hello.</b> The first frame is a {@link io.leapnbd.donor.protocol.Operation#HELLO}. It names the export, the range
 * of protocol versions, and the <i>claim</i>: an epoch above zero, or zero to observe only (hello, list and ping).
 *
 * <p><b>Epoch.</b> A server takes one epoch, higher than any that a donor knows for the export, for its whole life. A
 * donor keeps the highest epoch that claimed an export and which server instance claimed it; a claim that is lower, or
 * equal but by another instance, is {@link io.leapnbd.donor.protocol.Status#FENCED}, and so is every later request on
 * links of an older epoch.
 *
 * <p><b>Version.</b> Each write, trim and grant carries a version, unique in the export and growing in the order in which
 * the server issued them; see {@link io.leapnbd.donor.protocol.Version}. A donor applies a write to a page only if its
 * version is at or above that of the page. So a request may be sent again over another link, and one that a broken link
 * delivers late cannot undo what came after it.
 *
 * <p><b>Incarnation.</b> A donor process draws a random 128-bit number at start. A server that finds another one behind an
 * address knows that everything it kept there is lost.
 */
@NullMarked
package io.leapnbd.donor.protocol;

import org.jspecify.annotations.NullMarked;
