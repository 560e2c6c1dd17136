package io.leapnbd.bypass.link;

/** The way of one link to its donor. For the link's loop. */
@FunctionalInterface
interface LinkTransport {

    /** A connection that has not begun. */
    LinkSession session(ReconnectingLink link);
}
