package io.leapnbd.tools.registry;

import java.io.IOException;

/** A registry did not do what it was asked for; the message says why, in words that may follow its name and a colon. */
public final class RegistryException extends IOException {

    private static final long serialVersionUID = 1;

    private final boolean refused;

    /** Nobody answers, or what answers is none. */
    RegistryException(String message, Exception cause) {
        super(message, cause);
        refused = false;
    }

    /** It answers, and will not. */
    RegistryException(String message) {
        super(message);
        refused = true;
    }

    /** Whether it has answered, and would do so again: another member is not asked. */
    public boolean refused() {
        return refused;
    }
}
