package io.leapnbd.donor;

import io.leapnbd.donor.protocol.Hello;
import io.leapnbd.donor.protocol.HelloReply;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.UUID;

/** Hellos of made-up servers, which are known by a number: their instance and their term. */
public final class Hellos {

    /** What servers say of the contents unless a test says otherwise. */
    public static final UUID CONTENT = new UUID(7, 8);

    /** Where all of them run. */
    public static final UUID HOST = new UUID(9, 10);

    private Hellos() {}

    /** A claim of an export that nobody has claimed before. */
    public static Hello claim(String export, long server) {
        return claim(export, 0, HelloReply.NONE, server);
    }

    /** A claim that goes on with what was observed, or begins. */
    public static Hello claim(String export, long epoch, UUID found, long server) {
        UUID content = found.equals(HelloReply.NONE) ? CONTENT : found;
        return claim(export, false, epoch, found, content, server);
    }

    /** Likewise, of an export whose owner has left a note since its claim. */
    public static Hello claimAfterNote(String export, long epoch, UUID found, long foundNote, long server) {
        return claim(export, false, epoch, found, foundNote, found, server);
    }

    /** Any claim of an export whose owner has left no note since its claim. */
    public static Hello claim(String export, boolean blank, long epoch, UUID found, UUID content, long server) {
        return claim(export, blank, epoch, found, 0, content, server);
    }

    private static Hello claim(
            String export, boolean blank, long epoch, UUID found, long foundNote, UUID content, long server) {
        return Hello.claim(
                export,
                0,
                blank,
                epoch,
                found,
                foundNote,
                content,
                instance(server),
                server,
                HOST,
                "server " + server,
                ByteBuffer.wrap(("note of " + server).getBytes(StandardCharsets.US_ASCII)));
    }

    /** What such a server says after it was told this: it joins its own claim, and claims otherwise. */
    public static Hello after(HelloReply found, String export, long server) {
        return found.instance().equals(instance(server))
                ? Hello.join(export, 0, found.epoch(), instance(server))
                : claim(
                        export,
                        false,
                        found.epoch(),
                        found.content(),
                        found.noteVersion(),
                        found.hasContent() ? found.content() : CONTENT,
                        server);
    }

    /** The instance of a server. */
    public static UUID instance(long server) {
        return new UUID(server, server);
    }

    /** One that does not claim. */
    public static Hello observe(String export) {
        return Hello.observe(export, 0);
    }
}
