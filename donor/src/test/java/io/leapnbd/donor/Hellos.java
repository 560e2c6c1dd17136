package io.leapnbd.donor;

import io.leapnbd.donor.protocol.Hello;
import io.leapnbd.donor.protocol.Protocol;
import java.util.UUID;

/** Hellos of made-up servers. */
public final class Hellos {

    /** What servers say of the contents unless a test says otherwise. */
    public static final UUID CONTENT = new UUID(7, 8);

    private Hellos() {}

    /** A claim by the server that is numbered like the epoch. */
    public static Hello claim(String export, long epoch) {
        return claim(export, epoch, new UUID(epoch, epoch));
    }

    /** A claim by a certain server. */
    public static Hello claim(String export, long epoch, UUID instance) {
        return new Hello(Protocol.VERSION, Protocol.VERSION, 0, epoch, instance, CONTENT, export);
    }

    /** One that does not claim. */
    public static Hello observe(String export) {
        return claim(export, 0);
    }
}
