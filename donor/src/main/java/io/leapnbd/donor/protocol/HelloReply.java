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
 * @param incarnation random number of the donor process
 * @param limits what the donor is set to
 * @param epoch how many times the export was claimed here, or more; 0 proves that this donor process has never had it
 * @param content the export's contents; {@link #NONE} if it has none here: it never had, or its lease has ended
 * @param claimant the server that owns the export; {@link Claimant#NOBODY} if there is none
 * @param activity when that server was last seen here
 * @param room slabs and links
 * @param highest highest version of a request on links of the owner's epoch; 0 if there was none
 * @param noteVersion of the note, as the owner numbers it; 0 for the note of a claim
 * @param note what the owner has left for the next server
 */
public record HelloReply(
        int version,
        UUID incarnation,
        Limits limits,
        long epoch,
        UUID content,
        Claimant claimant,
        Activity activity,
        Room room,
        long highest,
        long noteVersion,
        ByteBuffer note) {

    /**
     * What a donor is set to.
     *
     * @param slabSize bytes of a slab
     * @param maxInFlight requests that the link may have in flight, above zero
     * @param leaseSeconds how long slabs are kept after the export's last link is gone
     */
    public record Limits(int slabSize, int maxInFlight, int leaseSeconds) {

        private boolean inRange() {
            return maxInFlight >= 1 && leaseSeconds >= 0;
        }
    }

    /**
     * When an export's owner was last seen by the donor.
     *
     * @param claimedMillisAgo since it claimed; -1 if there is no owner
     * @param heardMillisAgo since one of its links was last heard; -1 if it has no link
     * @param answeredMillisAgo since this donor last answered it, at most; -1 if this process never has
     * @param links its open links
     */
    public record Activity(long claimedMillisAgo, long heardMillisAgo, long answeredMillisAgo, int links) {

        /** Of an export that nobody owns. */
        public static final Activity NONE = new Activity(-1, -1, -1, 0);

        private boolean inRange() {
            return claimedMillisAgo >= -1 && heardMillisAgo >= -1 && answeredMillisAgo >= -1 && links >= 0;
        }

        private void encode(ByteBuf out) {
            out.writeLong(claimedMillisAgo);
            out.writeLong(heardMillisAgo);
            out.writeLong(answeredMillisAgo);
            out.writeInt(links);
        }

        private static Activity decode(ByteBuf in) {
            return new Activity(in.readLong(), in.readLong(), in.readLong(), in.readInt());
        }
    }

    /**
     * What a donor has, and has left.
     *
     * @param freeLinks links that it would take now
     * @param totalSlabs slabs that it lends in all
     * @param freeSlabs slabs that it could grant now
     * @param heldSlabs slabs that it keeps for this export
     * @param limit slabs that all exports of the link's owner may hold; {@link #UNLIMITED} for as many as there are. The numbers above
     *     are those within it
     * @param owner what the donor knows that owner by
     */
    public record Room(int freeLinks, int totalSlabs, int freeSlabs, int heldSlabs, int limit, String owner) {

        /** As many slabs as there are. */
        public static final int UNLIMITED = -1;

        /** Without a limit. */
        public Room(int freeLinks, int totalSlabs, int freeSlabs, int heldSlabs) {
            this(freeLinks, totalSlabs, freeSlabs, heldSlabs, UNLIMITED, "");
        }

        private boolean inRange() {
            return freeLinks >= 0 && freeSlabs >= 0 && heldSlabs >= 0 && limit >= UNLIMITED;
        }

        private void encode(ByteBuf out) {
            out.writeInt(freeLinks);
            out.writeInt(totalSlabs);
            out.writeInt(freeSlabs);
            out.writeInt(heldSlabs);
        }

        private static Room decode(ByteBuf in) {
            return new Room(in.readInt(), in.readInt(), in.readInt(), in.readInt());
        }

        private Room with(int nowFreeLinks, int nowFree, int nowHeld) {
            return new Room(nowFreeLinks, totalSlabs, nowFree, nowHeld, limit, owner);
        }

        private Room within(int itsLimit, String itsOwner) {
            return new Room(freeLinks, totalSlabs, freeSlabs, heldSlabs, itsLimit, itsOwner);
        }
    }

    /** Bytes before the owner's name. */
    public static final int FIXED_LENGTH =
            4 + 4 + 16 + 8 + 16 + 16 + Claimant.TERM_AND_HOST + 3 * 8 + 4 + 4 * 4 + 4 + 4 + 8 + 8 + 2 + 2 + 4 + 2;

    /** Longest body, in bytes. */
    public static final int MAX_LENGTH = FIXED_LENGTH + Protocol.MAX_OWNER + Protocol.MAX_NOTE + Protocol.MAX_OWNER;

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
        return with(newEpoch, room.with(room.freeLinks, nowFree, nowHeld));
    }

    /** This, with the number of links that the donor's listener would take. */
    public HelloReply withFreeLinks(int other) {
        return with(epoch, room.with(other, room.freeSlabs, room.heldSlabs));
    }

    private HelloReply with(long itsEpoch, Room itsRoom) {
        return new HelloReply(
                version,
                incarnation,
                limits,
                itsEpoch,
                content,
                claimant,
                activity,
                itsRoom,
                highest,
                noteVersion,
                note);
    }

    /** Bytes of a slab. */
    public int slabSize() {
        return limits.slabSize;
    }

    /** Requests that the link may have in flight, above zero. */
    public int maxInFlight() {
        return limits.maxInFlight;
    }

    /** How long slabs are kept after the export's last link is gone, in seconds. */
    public int leaseSeconds() {
        return limits.leaseSeconds;
    }

    /** The server process that owns the export; {@link #NONE} if there is none. */
    public UUID instance() {
        return claimant.instance();
    }

    /** That server's number among those of the export; 0 if there is none. */
    public long term() {
        return claimant.term();
    }

    /** Number of the machine that it runs on. */
    public UUID host() {
        return claimant.host();
    }

    /** What people call it. */
    public String owner() {
        return claimant.owner();
    }

    /** Since it claimed; -1 if there is none. */
    public long claimedMillisAgo() {
        return activity.claimedMillisAgo;
    }

    /** Since one of its links was last heard; -1 if it has no link. */
    public long heardMillisAgo() {
        return activity.heardMillisAgo;
    }

    /** Since this donor last answered it, at most; -1 if this process never has. */
    public long answeredMillisAgo() {
        return activity.answeredMillisAgo;
    }

    /** Open links of the owner. */
    public int links() {
        return activity.links;
    }

    /** Links that the donor would take now. */
    public int freeLinks() {
        return room.freeLinks;
    }

    /** Slabs that the donor lends in all. */
    public int totalSlabs() {
        return room.totalSlabs;
    }

    /** Slabs that it could grant now. */
    public int freeSlabs() {
        return room.freeSlabs;
    }

    /** Slabs that it keeps for this export. */
    public int heldSlabs() {
        return room.heldSlabs;
    }

    /** Slabs that all exports of the link's owner may hold there; {@link Room#UNLIMITED} for as many as there are. */
    public int limit() {
        return room.limit;
    }

    /** What the donor knows that owner by. */
    public String limited() {
        return room.owner;
    }

    /** Bytes of the body. */
    public int encodedLength() {
        return FIXED_LENGTH + ByteBufUtil.utf8Bytes(owner()) + note.remaining() + ByteBufUtil.utf8Bytes(room.owner);
    }

    /** Appends the body. */
    public void encode(ByteBuf out) {
        out.writeInt(version);
        out.writeInt(limits.slabSize);
        Fields.writeUuid(out, incarnation);
        out.writeLong(epoch);
        Fields.writeUuid(out, content);
        Fields.writeUuid(out, claimant.instance());
        claimant.encodeTermAndHost(out);
        activity.encode(out);
        room.encode(out);
        out.writeInt(limits.maxInFlight);
        out.writeInt(limits.leaseSeconds);
        out.writeLong(highest);
        out.writeLong(noteVersion);
        out.writeShort(ByteBufUtil.utf8Bytes(claimant.owner()));
        out.writeShort(note.remaining());
        out.writeInt(room.limit);
        out.writeShort(ByteBufUtil.utf8Bytes(room.owner));
        ByteBufUtil.writeUtf8(out, claimant.owner());
        out.writeBytes(note());
        ByteBufUtil.writeUtf8(out, room.owner);
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
        Activity activity = Activity.decode(in);
        Room room = Room.decode(in);
        Limits limits = new Limits(slabSize, in.readInt(), in.readInt());
        long highest = in.readLong();
        long noteVersion = in.readLong();
        int ownerLength = in.readUnsignedShort();
        int noteLength = in.readUnsignedShort();
        int limit = in.readInt();
        int limitedLength = in.readUnsignedShort();
        String owner = Fields.readText(in, ownerLength, "an owner's name");
        ByteBuffer note = Fields.readBytes(in, noteLength, "a note");
        String limited = Fields.readText(in, limitedLength, "an owner's name");
        Claimant claimant = new Claimant(instance, term, host, owner);
        HelloReply reply = new HelloReply(
                version,
                incarnation,
                limits,
                epoch,
                content,
                claimant,
                activity,
                room.within(limit, limited),
                highest,
                noteVersion,
                note);
        if (in.isReadable()
                || ownerLength > Protocol.MAX_OWNER
                || limitedLength > Protocol.MAX_OWNER
                || noteLength > Protocol.MAX_NOTE) {
            throw new ProtocolException("reply to hello with " + in.readableBytes() + " bytes too many");
        }
        reply.check();
        return reply;
    }

    private void check() throws ProtocolException {
        if (version != Protocol.VERSION) {
            throw new ProtocolException("donor that answers in version " + version);
        }
        int slabSize = limits.slabSize;
        if (slabSize < Protocol.MIN_SLAB_SIZE || slabSize > Protocol.MAX_SLAB_SIZE || Integer.bitCount(slabSize) != 1) {
            throw new ProtocolException("donor with slabs of " + slabSize + " bytes");
        }
        boolean inRange = limits.inRange() && activity.inRange() && room.inRange();
        if (epoch < 0 || term() < 0 || term() > Version.MAX_TERM || highest < 0 || noteVersion < 0 || !inRange) {
            throw new ProtocolException("reply to hello out of range: " + this);
        }
    }
}
