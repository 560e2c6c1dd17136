package io.leapnbd.tools.reproduce;

/** A part cannot be done here; the message says why, for people. */
final class SkippedException extends Exception {

    private static final long serialVersionUID = 1;

    SkippedException(String reason) {
        super(reason);
    }
}
