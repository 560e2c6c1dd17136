package io.leapnbd.donor.protocol;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufUtil;
import java.nio.ByteBuffer;
import java.util.UUID;
import org.jspecify.annotations.Nullable;

/**
 * The body of a hello. {@code donor/PROTOCOL.md}, section 3, has the bytes and the rules.
 *
 * <p>The fields up to {@code lane}, and the place of the export's name, are those of version 1. So a donor of version 1 takes an
 * {@link Mode#OBSERVE} for a hello of its own, and answers {@link Status#UNSUPPORTED_VERSION}.
 *
 * @param minVersion lowest protocol version that the server speaks
 * @param maxVersion highest protocol version that the server speaks
 * @param lane number of the server's event loop that this link belongs to; for people
 * @param mode what the server wants
 * @param export name of the export, 1 to {@link Protocol#MAX_EXPORT_NAME} bytes in UTF-8
 * @param epoch for a claim, the epoch that was observed here, 0 or more; for a join, the claim's epoch, 1 or more
 * @param contents for a claim, what becomes of the export's contents
 * @param claimant for a claim, the server; for a join, its instance
 * @param note for a claim, what the next server has to know; the buffer's remaining bytes, up to {@link Protocol#MAX_NOTE}
 */
public record Hello(
        int minVersion,
        int maxVersion,
        int lane,
        Mode mode,
        String export,
        long epoch,
        Contents contents,
        Claimant claimant,
        ByteBuffer note) {

    /** What a hello asks for; its place in the list is its number on the wire. */
    public enum Mode {
        /** To be told about the export; nothing changes. */
        OBSERVE,
        /** To own the export, if it still is as it was observed. */
        CLAIM,
        /** Another link for the server that has claimed the export. */
        JOIN;

        private static final Mode[] ALL = values();

        /** Null if there is none of this number. */
        static @Nullable Mode of(int number) {
            return number < ALL.length ? ALL[number] : null;
        }
    }

    /**
     * Which contents a claim has found at the donor, and which it goes on with.
     *
     * @param blank whether the slabs that the donor holds are given up. A claim has to say so if it begins other contents. A claim may
     *     say so if it goes on with the contents that it found
     * @param found contents that were observed here; {@link HelloReply#NONE} if there were none
     * @param foundNote version of the note that was observed here, 0 or more
     * @param next contents that the server goes on with, or begins
     */
    public record Contents(boolean blank, UUID found, long foundNote, UUID next) {

        /** Of a hello that claims nothing. */
        public static final Contents NONE = new Contents(false, HelloReply.NONE, 0, HelloReply.NONE);

        private boolean begunWithoutBlank() {
            return !blank && !next.equals(found) && !found.equals(HelloReply.NONE);
        }
    }

    /** Bytes before the name. */
    public static final int FIXED_LENGTH = 8 + 2 + 2 + 4 + 8 + 16 + 16 + 2;

    /** Bytes after the epoch of a claim, without those of the owner's name and of the note. */
    private static final int CLAIM_LENGTH = 16 + 8 + Claimant.TERM_AND_HOST + 2 + 2;

    /** Longest body, in bytes. */
    public static final int MAX_LENGTH =
            FIXED_LENGTH + Protocol.MAX_EXPORT_NAME + 8 + CLAIM_LENGTH + Protocol.MAX_OWNER + Protocol.MAX_NOTE;

    private static final int BLANK = 1;
    private static final ByteBuffer NO_NOTE = ByteBuffer.allocate(0);

    /** The note is not copied, and must not change any more. */
    public Hello {
        note = note.asReadOnlyBuffer();
    }

    /** A hello that changes nothing. */
    public static Hello observe(String export, int lane) {
        return ours(lane, Mode.OBSERVE, export, 0, Contents.NONE, Claimant.NOBODY, NO_NOTE);
    }

    /** A hello that claims the export, provided that the donor's epoch, contents and note are those that were observed. */
    public static Hello claim(
            String export,
            int lane,
            boolean blank,
            long epoch,
            UUID foundContent,
            long foundNote,
            UUID content,
            UUID instance,
            long term,
            UUID host,
            String owner,
            ByteBuffer note) {
        Contents contents = new Contents(blank, foundContent, foundNote, content);
        return ours(lane, Mode.CLAIM, export, epoch, contents, new Claimant(instance, term, host, owner), note);
    }

    /** A hello of another link of the server that has claimed the export with this epoch. */
    public static Hello join(String export, int lane, long epoch, UUID instance) {
        return ours(lane, Mode.JOIN, export, epoch, Contents.NONE, Claimant.of(instance), NO_NOTE);
    }

    private static Hello ours(
            int lane, Mode mode, String export, long epoch, Contents contents, Claimant claimant, ByteBuffer note) {
        return new Hello(Protocol.VERSION, Protocol.VERSION, lane, mode, export, epoch, contents, claimant, note);
    }

    /** Whether a claim gives up what the donor holds. */
    public boolean blank() {
        return contents.blank;
    }

    /** The contents that a claim has observed. */
    public UUID foundContent() {
        return contents.found;
    }

    /** Version of the note that a claim has observed. */
    public long foundNote() {
        return contents.foundNote;
    }

    /** The contents that a claim goes on with. */
    public UUID content() {
        return contents.next;
    }

    /** The server process that claims or joins. */
    public UUID instance() {
        return claimant.instance();
    }

    /** The note, in a buffer of the caller's own. */
    @Override
    public ByteBuffer note() {
        return note.duplicate();
    }

    /** Whether the peer speaks the version that is spoken here. */
    public boolean speaksOurVersion() {
        return minVersion <= Protocol.VERSION && maxVersion >= Protocol.VERSION;
    }

    /** What is wrong with it, in a sentence for the log; null if nothing is. A hello of other versions only is not looked at. */
    public @Nullable String problem() {
        if (minVersion > maxVersion) {
            return "hello with versions from " + minVersion + " to " + maxVersion;
        }
        if (!speaksOurVersion()) {
            return null;
        }
        int name = ByteBufUtil.utf8Bytes(export);
        if (name < 1 || name > Protocol.MAX_EXPORT_NAME) {
            return "hello with an export name of " + name + " bytes, not 1.." + Protocol.MAX_EXPORT_NAME;
        }
        if (ByteBufUtil.utf8Bytes(claimant.owner()) > Protocol.MAX_OWNER || note.remaining() > Protocol.MAX_NOTE) {
            return "hello with an owner's name or a note that is too long";
        }
        return switch (mode) {
            case OBSERVE -> blank() ? "hello that observes, and says blank" : null;
            case JOIN ->
                epoch < 1 || blank() || instance().equals(HelloReply.NONE)
                        ? "hello that joins epoch " + epoch + " of " + instance()
                        : null;
            case CLAIM -> problemOfClaim();
        };
    }

    private @Nullable String problemOfClaim() {
        if (epoch < 0 || epoch == Long.MAX_VALUE || foundNote() < 0) {
            return "hello that has observed epoch " + epoch + " and a note of version " + foundNote();
        }
        if (content().equals(HelloReply.NONE) || instance().equals(HelloReply.NONE)) {
            return "hello that claims without contents or without an instance";
        }
        long term = claimant.term();
        if (term < 1 || term > Version.MAX_TERM) {
            return "hello with term " + term + ", not in 1.." + Version.MAX_TERM;
        }
        if (contents.begunWithoutBlank()) {
            return "hello that begins other contents, and does not say blank";
        }
        return null;
    }

    /** Bytes of the body. */
    public int encodedLength() {
        int length = FIXED_LENGTH + ByteBufUtil.utf8Bytes(export);
        return switch (mode) {
            case OBSERVE -> length;
            case JOIN -> length + 8;
            case CLAIM -> length + 8 + CLAIM_LENGTH + ByteBufUtil.utf8Bytes(claimant.owner()) + note.remaining();
        };
    }

    /** Appends the body. */
    public void encode(ByteBuf out) {
        out.writeLong(Protocol.MAGIC);
        out.writeShort(minVersion);
        out.writeShort(maxVersion);
        out.writeInt(lane);
        out.writeZero(6);
        out.writeByte(mode.ordinal());
        out.writeByte(blank() ? BLANK : 0);
        Fields.writeUuid(out, instance());
        Fields.writeUuid(out, content());
        out.writeShort(ByteBufUtil.utf8Bytes(export));
        ByteBufUtil.writeUtf8(out, export);
        if (mode == Mode.OBSERVE) {
            return;
        }
        out.writeLong(epoch);
        if (mode == Mode.CLAIM) {
            Fields.writeUuid(out, foundContent());
            out.writeLong(foundNote());
            claimant.encodeTermAndHost(out);
            out.writeShort(ByteBufUtil.utf8Bytes(claimant.owner()));
            out.writeShort(note.remaining());
            ByteBufUtil.writeUtf8(out, claimant.owner());
            out.writeBytes(note());
        }
    }

    /**
     * Reads a body that fills the rest of {@code in}. Of one that does not speak {@link Protocol#VERSION} only the versions and the
     * lane are read: {@link #speaksOurVersion} is false then.
     *
     * @throws ProtocolException if it is not one; the message says what is wrong with it
     */
    public static Hello decode(ByteBuf in) throws ProtocolException {
        if (in.readableBytes() < FIXED_LENGTH) {
            throw new ProtocolException("hello of " + in.readableBytes() + " bytes is too short");
        }
        if (in.readLong() != Protocol.MAGIC) {
            throw new ProtocolException("hello without the magic number; is the peer a leap-nbd server?");
        }
        int min = in.readUnsignedShort();
        int max = in.readUnsignedShort();
        int lane = in.readInt();
        Hello hello = min <= Protocol.VERSION && max >= Protocol.VERSION
                ? decodeRest(min, max, lane, in)
                : new Hello(min, max, lane, Mode.OBSERVE, "", 0, Contents.NONE, Claimant.NOBODY, NO_NOTE);
        String problem = hello.problem();
        if (problem != null) {
            throw new ProtocolException(problem);
        }
        return hello;
    }

    private static Hello decodeRest(int min, int max, int lane, ByteBuf in) throws ProtocolException {
        int reserved = in.readInt() | in.readShort();
        Mode mode = Mode.of(in.readUnsignedByte());
        int flags = in.readUnsignedByte();
        if (reserved != 0 || mode == null || (flags & ~BLANK) != 0) {
            throw new ProtocolException("hello with a mode or flags that are not known");
        }
        UUID instance = Fields.readUuid(in);
        UUID content = Fields.readUuid(in);
        String export = Fields.readText(in, in.readUnsignedShort(), "an export name");
        long epoch = 0;
        Contents contents = new Contents((flags & BLANK) != 0, HelloReply.NONE, 0, content);
        Claimant claimant = Claimant.of(instance);
        ByteBuffer note = NO_NOTE;
        if (mode != Mode.OBSERVE) {
            Fields.require(in, 8, "a hello");
            epoch = in.readLong();
        }
        if (mode == Mode.CLAIM) {
            Fields.require(in, CLAIM_LENGTH, "a hello");
            contents = new Contents(contents.blank, Fields.readUuid(in), in.readLong(), content);
            long term = in.readLong();
            UUID host = Fields.readUuid(in);
            int ownerLength = in.readUnsignedShort();
            int noteLength = in.readUnsignedShort();
            claimant = new Claimant(instance, term, host, Fields.readText(in, ownerLength, "an owner's name"));
            note = Fields.readBytes(in, noteLength, "a note");
        }
        if (in.isReadable()) {
            throw new ProtocolException("hello with " + in.readableBytes() + " bytes too many");
        }
        return new Hello(min, max, lane, mode, export, epoch, contents, claimant, note);
    }
}
