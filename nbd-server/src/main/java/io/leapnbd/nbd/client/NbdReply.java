package io.leapnbd.nbd.client;

/**
 * The end of a request.
 *
 * @param cookie what the submitting call returned
 * @param error 0, or the number of an {@link io.leapnbd.nbd.spi.NbdError}
 */
public record NbdReply(long cookie, int error) {}
