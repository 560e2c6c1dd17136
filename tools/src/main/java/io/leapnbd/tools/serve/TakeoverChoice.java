package io.leapnbd.tools.serve;

import java.time.Duration;

/**
 * What a start may do to an export that is there already.
 *
 * @param fresh begin blank
 * @param takeOver push aside a server that answers, or take what is another machine's
 * @param loseMissing go on without donors that hold pages
 * @param patience how long to wait for donors that do not answer
 */
public record TakeoverChoice(boolean fresh, boolean takeOver, boolean loseMissing, Duration patience) {

    /** Takes what is this machine's own, and waits for a minute. */
    public static final TakeoverChoice DEFAULT = new TakeoverChoice(false, false, false, Duration.ofSeconds(60));
}
