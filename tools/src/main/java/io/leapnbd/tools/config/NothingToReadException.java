package io.leapnbd.tools.config;

/** A process that was asked to read its files again, and has none: neither a file of settings nor certificates and the like. */
public final class NothingToReadException extends IllegalArgumentException {

    private static final long serialVersionUID = 1;

    NothingToReadException(String message) {
        super(message);
    }
}
