package io.leapnbd.nbd.client;

import java.io.IOException;

/** A server has answered a request with an error; the connection is as good as before. */
public final class RemoteErrorException extends IOException {

    private static final long serialVersionUID = 1;

    /** The error number. */
    private final int error;

    RemoteErrorException(String request, int error) {
        super("the server answered " + request + " with error " + error);
        this.error = error;
    }

    /** The number of an {@link io.leapnbd.nbd.spi.NbdError}. */
    public int error() {
        return error;
    }
}
