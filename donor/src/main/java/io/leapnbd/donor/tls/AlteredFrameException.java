package io.leapnbd.donor.tls;

import java.io.Serial;
import javax.net.ssl.SSLException;

/** A part of a frame does not fit its tag. Like a record of TLS that was changed, it is told by {@link TlsProblem}, and ends the link. */
public final class AlteredFrameException extends SSLException {

    @Serial
    private static final long serialVersionUID = 1;

    AlteredFrameException() {
        super("a frame was changed, left out or repeated on the way");
    }
}
