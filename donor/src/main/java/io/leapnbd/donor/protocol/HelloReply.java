package io.leapnbd.donor.protocol;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufUtil;
import java.nio.ByteBuffer;
import java.util.UUID;

/**
 * The body of the reply to a hello: the export as the hello <b>found</b> it. Only {@code epoch} and the numbers of slabs and free
 * links are those after it: an accepted claim is told the epoch that it was given.
 *
 * @param version protocol version that the link speaks from here on
 * @param slabSize bytes of a slab
 * @param incarnation random number of the donor process
 * @param epoch how many times the export was claimed here, or more; 0 proves that this donor process has never had it
 * @param content the export's contents; {@link #NONE} if it has none here: it never had, or its lease has ended
 * @param instance the server process that owns the export; {@link #NONE} if there is none
 * @param term that server's number among those of the export; 0 if there is none
 * @param host number of the machine that it runs on
 * @param owner what people call it
 * @param claimedMillisAgo since it claimed; -1 if there is none
 * @param heardMillisAgo since one of its links was last heard; -1 if it has no link
 * @param answeredMillisAgo since this donor last answered it, at most; -1 if this process never has
 * @param links open links of the owner
 * @param freeLinks links that the donor would take now
 * @param totalSlabs slabs that the donor lends in all
 * @param freeSlabs slabs that it could grant now
 * @param heldSlabs slabs that it keeps for this export
 * @param maxInFlight requests that the link may have in flight, above zero
 * @param leaseSeconds how long slabs are kept after the export's last link is gone
 * @param highest highest version of a request on links of the owner's epoch; 0 if there was none
 * @param note what the owner has left for the next server
 */
public record HelloReply(
        int version,
        int slabSize,
        UUID incarnation,
        long epoch,
        UUID content,
        UUID instance,
        long term,
        UUID host,
        String owner,
        long claimedMillisAgo,
        long heardMillisAgo,
        long answeredMillisAgo,
        int links,
        int freeLinks,
        int totalSlabs,
        int freeSlabs,
        int heldSlabs,
        int maxInFlight,
        int leaseSeconds,
        long highest,
        ByteBuffer note) {

    /** Bytes before the owner's name. */
    public static final int FIXED_LENGTH =
            4 + 4 + 16 + 8 + 16 + 16 + 8 + 16 + 8 + 8 + 8 + 4 + 4 + 4 + 4 + 4 + 4 + 4 + 8 + 2 + 2;

    /** Longest body, in bytes. */
    public static final int MAX_LENGTH = FIXED_LENGTH + Protocol.MAX_OWNER + Protocol.MAX_NOTE;

    /** Stands for no contents, no instance, no host. */
    public static final UUID NONE = new UUID(0, 0);

    /** The note is not copied, and must not change any more. */
    public HelloReply {
        note = note.asReadOnlyBuffer();
    }

    /** The note, in a buffer of the caller's own. */
    @Override
    public ByteBuffer note() {
        return note.duplicate();
    }

    /** Whether the export has contents here. */
    public boolean hasContent() {
        return !content.equals(NONE);
    }

    /** This, with what an accepted claim has changed. */
    public HelloReply claimed(long newEpoch, int nowHeld, int nowFree) {
        return new HelloReply(
                version,
                slabSize,
                incarnation,
                newEpoch,
                content,
                instance,
                term,
                host,
                owner,
                claimedMillisAgo,
                heardMillisAgo,
                answeredMillisAgo,
                links,
                freeLinks,
                totalSlabs,
                nowFree,
                nowHeld,
                maxInFlight,
                leaseSeconds,
                highest,
                note);
    }

    /** This, with the number of links that the donor's listener would take. */
    public HelloReply withFreeLinks(int other) {
        return new HelloReply(
                version,
                slabSize,
                incarnation,
                epoch,
                content,
                instance,
                term,
                host,
                owner,
                claimedMillisAgo,
                heardMillisAgo,
                answeredMillisAgo,
                links,
                other,
                totalSlabs,
                freeSlabs,
                heldSlabs,
                maxInFlight,
                leaseSeconds,
                highest,
                note);
    }

    /** Bytes of the body. */
    public int encodedLength() {
        return FIXED_LENGTH + ByteBufUtil.utf8Bytes(owner) + note.remaining();
    }

    /** Appends the body. */
    public void encode(ByteBuf out) {
        out.writeInt(version);
        out.writeInt(slabSize);
        Fields.writeUuid(out, incarnation);
        out.writeLong(epoch);
        Fields.writeUuid(out, content);
        Fields.writeUuid(out, instance);
        out.writeLong(term);
        Fields.writeUuid(out, host);
        out.writeLong(claimedMillisAgo);
        out.writeLong(heardMillisAgo);
        out.writeLong(answeredMillisAgo);
        out.writeInt(links);
        out.writeInt(freeLinks);
        out.writeInt(totalSlabs);
        out.writeInt(freeSlabs);
        out.writeInt(heldSlabs);
        out.writeInt(maxInFlight);
        out.writeInt(leaseSeconds);
        out.writeLong(highest);
        out.writeShort(ByteBufUtil.utf8Bytes(owner));
        out.writeShort(note.remaining());
        ByteBufUtil.writeUtf8(out, owner);
        out.writeBytes(note());
    }

    /**
     * Reads a body that fills the rest of {@code in}.
     *
     * @throws ProtocolException if it is not one
     */
    public static HelloReply decode(ByteBuf in) throws ProtocolException {
        Fields.require(in, FIXED_LENGTH, "a reply to hello");
        int version = in.readInt();
        int slabSize = in.readInt();
        UUID incarnation = Fields.readUuid(in);
        long epoch = in.readLong();
        UUID content = Fields.readUuid(in);
        UUID instance = Fields.readUuid(in);
        long term = in.readLong();
        UUID host = Fields.readUuid(in);
        long claimed = in.readLong();
        long heard = in.readLong();
        long answered = in.readLong();
        int links = in.readInt();
        int freeLinks = in.readInt();
        int totalSlabs = in.readInt();
        int freeSlabs = in.readInt();
        int heldSlabs = in.readInt();
        int maxInFlight = in.readInt();
        int leaseSeconds = in.readInt();
        long highest = in.readLong();
        int ownerLength = in.readUnsignedShort();
        int noteLength = in.readUnsignedShort();
        String owner = Fields.readText(in, ownerLength, "an owner's name");
        ByteBuffer note = Fields.readBytes(in, noteLength, "a note");
        HelloReply reply = new HelloReply(
                version,
                slabSize,
                incarnation,
                epoch,
                content,
                instance,
                term,
                host,
                owner,
                claimed,
                heard,
                answered,
                links,
                freeLinks,
                totalSlabs,
                freeSlabs,
                heldSlabs,
                maxInFlight,
                leaseSeconds,
                highest,
                note);
        if (in.isReadable() || ownerLength > Protocol.MAX_OWNER || noteLength > Protocol.MAX_NOTE) {
            throw new ProtocolException("reply to hello with " + in.readableBytes() + " bytes too many");
        }
        reply.check();
        return reply;
    }

    private void check() throws ProtocolException {
        if (version != Protocol.VERSION) {
            throw new ProtocolException("donor that answers in version " + version);
        }
        if (slabSize < Protocol.MIN_SLAB_SIZE || slabSize > Protocol.MAX_SLAB_SIZE || Integer.bitCount(slabSize) != 1) {
            throw new ProtocolException("donor with slabs of " + slabSize + " bytes");
        }
        if (epoch < 0
                || term < 0
                || term > Version.MAX_TERM
                || claimedMillisAgo < -1
                || heardMillisAgo < -1
                || answeredMillisAgo < -1
                || links < 0
                || freeLinks < 0
                || freeSlabs < 0
                || heldSlabs < 0
                || maxInFlight < 1
                || leaseSeconds < 0
                || highest < 0) {
            throw new ProtocolException("reply to hello out of range: " + this);
        }
    }
}
