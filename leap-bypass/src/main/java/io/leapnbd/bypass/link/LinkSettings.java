package io.leapnbd.bypass.link;

import io.leapnbd.donor.protocol.Hello;
import io.leapnbd.donor.protocol.Protocol;
import java.time.Duration;
import java.util.UUID;

/**
 * What all links of a device have in common.
 *
 * @param export name of the export
 * @param epoch the server's claim
 * @param instance random number of this server
 * @param content random number of the export's contents
 * @param slabSize bytes of a slab, the same at all donors
 * @param connectTimeout how long a connection and its hello may take
 * @param bulkWindow bytes of writes that may be on the way to one donor over one link, so that a read never has more than
 *     that ahead of it
 */
public record LinkSettings(
        String export, long epoch, UUID instance, UUID content, int slabSize, Duration connectTimeout, int bulkWindow) {

    Hello hello(int lane) {
        return new Hello(Protocol.VERSION, Protocol.VERSION, lane, epoch, instance, content, export);
    }
}
