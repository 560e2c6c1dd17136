/**
 * The donor wire protocol, version 5: what a server and a donor say to each other over one connection (a <i>link</i>). {@code
 * donor/PROTOCOL.md} is the document; what follows is the gist of it.
 *
 * <p>Every frame is a fixed header, then {@code payload} bytes; integers are big-endian. The server sends
 * {@linkplain io.leapnbd.donor.protocol.RequestHeader requests}, the donor answers each with exactly one
 * {@linkplain io.leapnbd.donor.protocol.ReplyHeader reply} that carries the request's cookie, in any order. Requests are
 * pipelined up to the {@code maxInFlight} of the hello.
 *
 * <p><b>Hello.</b> The first frame is a {@link io.leapnbd.donor.protocol.Operation#HELLO}. It names the export, and
 * {@linkplain io.leapnbd.donor.protocol.Hello.Mode observes, claims or joins} it.
 *
 * <p><b>Epoch.</b> A donor counts the claims of an export, and gives each claim its number. A claim is a compare-and-set: it names the
 * epoch and the contents that were observed. Links of older epochs are {@link io.leapnbd.donor.protocol.Status#FENCED}.
 *
 * <p><b>Version.</b> Each write and trim carries a version that grows in the order in which the server issued them; see
 * {@link io.leapnbd.donor.protocol.Version}. A donor changes a page only if the version is at or above that of the page. So a request
 * may be sent again over another link, and one that a broken link delivers late cannot undo what came after it.
 *
 * <p><b>Generation.</b> Each slab has one, and a donor is told which slabs are its live copies ({@link
 * io.leapnbd.donor.protocol.SlabCopies}). It believes only what has a higher generation than the slab. A {@link
 * io.leapnbd.donor.protocol.SlabName} never changes; a generation does.
 *
 * <p><b>Incarnation.</b> A donor process draws a random 128-bit number at its start. A server that finds another one behind an
 * address knows that everything it kept there is lost.
 */
@NullMarked
package io.leapnbd.donor.protocol;

import org.jspecify.annotations.NullMarked;
