package io.leapnbd.donor.verbs;

import java.io.IOException;

/** A verb failed, or there is no RDMA here. The message is for the operator. */
public final class VerbsException extends IOException {

    private static final long serialVersionUID = 1L;

    /** Says why. */
    public VerbsException(String message) {
        super(message);
    }

    /** Says why, and what it comes from. */
    public VerbsException(String message, Throwable cause) {
        super(message, cause);
    }
}
