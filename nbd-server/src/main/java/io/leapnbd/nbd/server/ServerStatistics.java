package io.leapnbd.nbd.server;

import io.leapnbd.nbd.spi.Command;
import io.leapnbd.nbd.spi.NbdError;
import java.util.concurrent.atomic.LongAdder;

/** What a server has done since its start. Any thread may read; the numbers only grow, unless said otherwise. */
public final class ServerStatistics {

    private static final int ERRORS = NbdError.values().length;

    final LongAdder connectionsOpened = new LongAdder();
    final LongAdder connectionsClosed = new LongAdder();
    final LongAdder connectionsRefused = new LongAdder();
    final LongAdder protocolViolations = new LongAdder();
    final LongAdder bytesRead = new LongAdder();
    final LongAdder bytesWritten = new LongAdder();
    private final LongAdder[] requests = adders(Command.values().length);
    private final LongAdder[] errors = adders(ERRORS);

    ServerStatistics() {}

    /** Counts one request that has ended. */
    void requestEnded(Command command, long length, int error) {
        requests[command.ordinal()].increment();
        if (error != 0) {
            errorSent(error);
        } else if (command == Command.READ) {
            bytesRead.add(length);
        } else if (command == Command.WRITE) {
            bytesWritten.add(length);
        }
    }

    /** Counts one reply with an error. */
    void errorSent(int error) {
        for (NbdError known : NbdError.values()) {
            if (known.code() == error) {
                errors[known.ordinal()].increment();
            }
        }
    }

    /** Connections accepted. */
    public long connectionsOpened() {
        return connectionsOpened.sum();
    }

    /** Connections that have ended, for whatever reason. */
    public long connectionsClosed() {
        return connectionsClosed.sum();
    }

    /** Connections closed as they came because there were too many. */
    public long connectionsRefused() {
        return connectionsRefused.sum();
    }

    /** Connections dropped because the client broke the protocol or took too long over the handshake. */
    public long protocolViolations() {
        return protocolViolations.sum();
    }

    /** Requests ended, with or without an error. */
    public long requests(Command command) {
        return requests[command.ordinal()].sum();
    }

    /** Requests ended with an error. */
    public long errors(NbdError error) {
        return errors[error.ordinal()].sum();
    }

    /** Bytes that reads have returned. */
    public long bytesRead() {
        return bytesRead.sum();
    }

    /** Bytes that writes have stored. */
    public long bytesWritten() {
        return bytesWritten.sum();
    }

    private static LongAdder[] adders(int count) {
        LongAdder[] adders = new LongAdder[count];
        for (int i = 0; i < count; i++) {
            adders[i] = new LongAdder();
        }
        return adders;
    }
}
