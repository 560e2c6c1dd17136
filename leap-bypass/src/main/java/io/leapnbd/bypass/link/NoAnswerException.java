package io.leapnbd.bypass.link;

import java.io.IOException;

/** Donors without which a server cannot start did not answer for as long as it was to wait for them. */
public final class NoAnswerException extends IOException {

    private static final long serialVersionUID = 1;

    /** One sentence for people. */
    public NoAnswerException(String message) {
        super(message);
    }
}
