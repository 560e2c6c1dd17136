package io.leapnbd.donor.protocol;

import java.io.Serial;

/** The peer does not follow the donor protocol; the link has to be closed. */
public final class ProtocolException extends Exception {

    @Serial
    private static final long serialVersionUID = 1L;

    /** With what is wrong, for the log. */
    public ProtocolException(String message) {
        super(message);
    }
}
