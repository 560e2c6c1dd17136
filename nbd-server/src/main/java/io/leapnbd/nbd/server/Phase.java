package io.leapnbd.nbd.server;

/** What a connection is doing: the handshake first, then transmission. Called on the connection's event loop only. */
sealed interface Phase permits HandshakePhase, TransmissionPhase {

    /**
     * Consumes what has arrived as far as it goes: to a message whose end is missing, to one that may not be begun now
     * ({@link #blocked} then says so), or to the end of the phase.
     */
    void consume();

    /** Whether {@link #consume} stopped at something that the phase may not take on now. */
    boolean blocked();

    /** Whether what it stopped at may be taken on by now. Only asked when {@link #blocked}. */
    boolean mayProceed();

    /** A turn begins: what {@link #consume} may take on in one counts from here. */
    void turnBegins();

    /** The connection has nothing more to consume in this turn. */
    void endOfTurn();

    /** The client will send no more. */
    void inputEnded();

    /** The channel is closed. Called once. */
    void closed();
}
