package io.leapnbd.donor.protocol;

import io.netty.buffer.ByteBuf;
import java.util.UUID;

/**
 * The body of the reply to a hello: the export as the hello found it, before its own claim.
 *
 * @param version protocol version that the link speaks from here on
 * @param slabSize bytes of a slab
 * @param incarnation random number of the donor process
 * @param epoch highest epoch that has claimed the export here; 0 if none has, or its lease ran out
 * @param content what the export's last claim named as its contents; zero if there is none
 * @param totalSlabs slabs that the donor lends in all
 * @param freeSlabs slabs that it could grant now
 * @param heldSlabs slabs that it keeps for this export
 * @param maxInFlight requests that the link may have in flight, above zero
 * @param leaseSeconds how long slabs are kept after the export's last link is gone
 */
public record HelloReply(
        int version,
        int slabSize,
        UUID incarnation,
        long epoch,
        UUID content,
        int totalSlabs,
        int freeSlabs,
        int heldSlabs,
        int maxInFlight,
        int leaseSeconds) {

    /** Bytes of the body. */
    public static final int LENGTH = 4 + 4 + 16 + 8 + 16 + 4 + 4 + 4 + 4 + 4;

    /** Stands for "no contents". */
    public static final UUID NO_CONTENT = new UUID(0, 0);

    /** Appends the body. */
    public void encode(ByteBuf out) {
        out.writeInt(version);
        out.writeInt(slabSize);
        Hello.writeUuid(out, incarnation);
        out.writeLong(epoch);
        Hello.writeUuid(out, content);
        out.writeInt(totalSlabs);
        out.writeInt(freeSlabs);
        out.writeInt(heldSlabs);
        out.writeInt(maxInFlight);
        out.writeInt(leaseSeconds);
    }

    /**
     * Reads a body that fills the rest of {@code in}.
     *
     * @throws ProtocolException if it is not one
     */
    public static HelloReply decode(ByteBuf in) throws ProtocolException {
        if (in.readableBytes() != LENGTH) {
            throw new ProtocolException("reply to hello of " + in.readableBytes() + " bytes, not " + LENGTH);
        }
        HelloReply reply = new HelloReply(
                in.readInt(),
                in.readInt(),
                Hello.readUuid(in),
                in.readLong(),
                Hello.readUuid(in),
                in.readInt(),
                in.readInt(),
                in.readInt(),
                in.readInt(),
                in.readInt());
        int size = reply.slabSize;
        if (size < Protocol.MIN_SLAB_SIZE || size > Protocol.MAX_SLAB_SIZE || Integer.bitCount(size) != 1) {
            throw new ProtocolException("donor with slabs of " + size + " bytes");
        }
        if (reply.epoch < 0 || reply.epoch > Version.MAX_EPOCH || reply.maxInFlight < 1) {
            throw new ProtocolException("reply to hello out of range: " + reply);
        }
        return reply;
    }
}
