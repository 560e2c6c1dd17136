package io.leapnbd.bypass.link;

import io.leapnbd.donor.protocol.Hello;
import io.leapnbd.donor.protocol.HelloReply;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.UUID;
import java.util.function.Predicate;
import java.util.function.Supplier;

/**
 * What all links of a device have in common.
 *
 * @param export name of the export
 * @param instance random number of this server
 * @param content random number of the export's contents
 * @param term this server's number among those of the export
 * @param host number of this machine
 * @param owner what people call this server
 * @param note what donors are to keep for the next server, as it is at the time
 * @param givenUp whether an operator gave a donor process up
 * @param slabSize bytes of a slab, the same at all donors
 * @param connectTimeout how long a connection and its hello may take
 * @param bulkWindow bytes of writes that may be on the way to one donor over one link, so that a read never has more than
 *     that ahead of it
 */
public record LinkSettings(
        String export,
        UUID instance,
        UUID content,
        long term,
        UUID host,
        String owner,
        Supplier<ByteBuffer> note,
        Predicate<UUID> givenUp,
        int slabSize,
        Duration connectTimeout,
        int bulkWindow) {

    Hello join(int lane, long epoch) {
        return Hello.join(export, lane, epoch, instance);
    }

    Hello observe(int lane) {
        return Hello.observe(export, lane);
    }

    /** Claims what was found, as it was found. */
    Hello claim(int lane, boolean blank, HelloReply found) {
        return Hello.claim(
                export,
                lane,
                blank,
                found.epoch(),
                found.content(),
                found.noteVersion(),
                content,
                instance,
                term,
                host,
                owner,
                note.get());
    }
}
