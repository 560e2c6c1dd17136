package io.leapnbd.nbd.client;

import java.io.IOException;

/** A server opens no export without TLS, and this connection has none. */
public final class TlsRequiredException extends IOException {

    private static final long serialVersionUID = 1;

    TlsRequiredException(String message) {
        super(message);
    }
}
