package io.leapnbd.tools.registry;

import java.io.IOException;

/** No donor was known for as long as a start was to wait; the message is one sentence. */
public final class NoDonorsException extends IOException {

    private static final long serialVersionUID = 1;

    NoDonorsException(String message) {
        super(message);
    }
}
