package io.leapnbd.bypass.link;

import java.io.IOException;

/** A donor answers, and does not serve this server before an operator has changed something: to wait is of no use. */
public final class RefusedException extends IOException {

    private static final long serialVersionUID = 1;

    /** In words that follow the donor's name. */
    public RefusedException(String message) {
        super(message);
    }

    /** Likewise. */
    public RefusedException(String message, Throwable cause) {
        super(message, cause);
    }
}
