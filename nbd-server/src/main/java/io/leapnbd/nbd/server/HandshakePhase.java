package io.leapnbd.nbd.server;

import static io.leapnbd.nbd.protocol.Negotiation.*;

import io.leapnbd.nbd.Printable;
import io.leapnbd.nbd.protocol.Transmission;
import io.leapnbd.nbd.spi.DeviceQueue;
import io.netty.buffer.ByteBuf;
import java.nio.charset.StandardCharsets;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The fixed newstyle handshake ("Fixed newstyle negotiation", "Option types"): greets, and answers options until one of
 * them starts the transmission phase.
 *
 * <p>A client that goes on negotiating is bounded in time by the connection's deadline, in the number of options, and in
 * the length of each; options that are not known are skipped by their length and answered with {@code ERR_UNSUP}.
 *
 * <p><b>TLS</b> is required, offered or not known: FORCEDTLS, SELECTIVETLS and NOTLS mode ("TLS"). What was negotiated before it is
 * forgotten, and a client that has sent something behind STARTTLS is dropped: somebody in between may have put it there.
 */
final class HandshakePhase implements Phase {

    private static final Logger LOG = LoggerFactory.getLogger(HandshakePhase.class);

    /** Longest option data in bytes. The longest sensible one is a name and a handful of queries, of 4,096 bytes each. */
    static final int MAX_OPTION_DATA = 32 << 10;

    /** Options in one handshake. */
    static final int MAX_OPTIONS = 256;

    private static final int HANDSHAKE_FLAGS = FLAG_FIXED_NEWSTYLE | FLAG_NO_ZEROES;

    private final Connection connection;
    private final ServerCore server;
    private boolean flagsSeen;
    private boolean noZeroes;
    private boolean structured;
    private @Nullable Export contextExport;
    private boolean secured;
    private int options;
    private boolean blocked;
    private boolean greeted;

    HandshakePhase(Connection connection) {
        this.connection = connection;
        this.server = connection.server;
    }

    /** Sends the server's first bytes ("Newstyle negotiation"). */
    void greet() {
        ByteBuf greeting = connection.allocator().directBuffer(GREETING_SIZE);
        greeting.writeLong(GREETING_MAGIC).writeLong(OPTION_MAGIC).writeShort(HANDSHAKE_FLAGS);
        connection.replies.write(greeting);
        greeted = true;
        if (blocked) {
            connection.wake();
        }
    }

    @Override
    public void consume() {
        // What comes before is not looked at: a client that does not wait would overtake what earlier connections have
        // sent.
        blocked = !greeted;
        boolean more = greeted;
        while (more && !connection.closing()) {
            if (!connection.replies.hasRoom()) {
                blocked = true;
                return;
            }
            ByteBuf in = connection.receive.arrived();
            more = flagsSeen ? consumeOption(in) : consumeFlags(in);
        }
    }

    private boolean consumeFlags(ByteBuf in) {
        if (in.readableBytes() < Integer.BYTES) {
            return false;
        }
        int flags = in.readInt();
        if ((flags & ~HANDSHAKE_FLAGS) != 0) {
            connection.drop("client flags 0x" + Integer.toHexString(flags) + " are not among those offered");
            return false;
        }
        flagsSeen = true;
        noZeroes = (flags & FLAG_NO_ZEROES) != 0;
        return true;
    }

    private boolean consumeOption(ByteBuf in) {
        if (in.readableBytes() < OPTION_HEADER_SIZE) {
            return false;
        }
        int at = in.readerIndex();
        if (in.getLong(at) != OPTION_MAGIC) {
            connection.drop("an option does not start with IHAVEOPT");
            return false;
        }
        int option = in.getInt(at + 8);
        long length = in.getUnsignedInt(at + 12);
        if (length > MAX_OPTION_DATA) {
            connection.drop("option " + option + " announces " + length + " bytes of data");
            return false;
        }
        if (in.readableBytes() < OPTION_HEADER_SIZE + length) {
            return false;
        }
        if (++options > MAX_OPTIONS) {
            connection.drop("more than " + MAX_OPTIONS + " options");
            return false;
        }
        in.skipBytes(OPTION_HEADER_SIZE);
        ByteBuf data = in.readSlice((int) length);
        if (connection.mustUseTls() && !secured && option != OPT_STARTTLS && option != OPT_ABORT) {
            return refuseWithoutTls(option);
        }
        return option == OPT_STARTTLS ? startTls(data, in) : answer(option, data);
    }

    private boolean refuseWithoutTls(int option) {
        if (option == OPT_EXPORT_NAME) {
            connection.drop("it asks for an export without TLS");
            return false;
        }
        reply(option, REP_ERR_TLS_REQD, "this server requires TLS");
        return true;
    }

    private boolean startTls(ByteBuf data, ByteBuf behind) {
        NbdTls tls = server.context().tls();
        if (!refuseData(OPT_STARTTLS, data)) {
            return true;
        }
        if (tls == null) {
            reply(OPT_STARTTLS, REP_ERR_POLICY, "this server does not offer TLS");
        } else if (secured) {
            reply(OPT_STARTTLS, REP_ERR_INVALID, "TLS has begun already");
        } else if (behind.isReadable()) {
            connection.drop("it has sent more behind STARTTLS, without TLS");
            return false;
        } else {
            reply(OPT_STARTTLS, REP_ACK);
            secured = true;
            structured = false;
            contextExport = null;
            connection.startTls(tls);
            return false;
        }
        return true;
    }

    /** Answers one option; returns whether the handshake goes on. */
    private boolean answer(int option, ByteBuf data) {
        switch (option) {
            case OPT_EXPORT_NAME -> {
                return exportName(data);
            }
            case OPT_ABORT -> {
                reply(option, REP_ACK);
                connection.closeWhenSent();
                return false;
            }
            case OPT_GO -> {
                return !go(data);
            }
            case OPT_INFO -> info(option, data);
            case OPT_LIST -> {
                if (refuseData(option, data)) {
                    list();
                }
            }
            case OPT_STRUCTURED_REPLY -> {
                if (refuseData(option, data)) {
                    structured = true;
                    reply(option, REP_ACK);
                }
            }
            case OPT_LIST_META_CONTEXT, OPT_SET_META_CONTEXT -> metaContext(option, data);
            default -> reply(option, REP_ERR_UNSUP, "option " + Integer.toUnsignedString(option) + " is not known");
        }
        return true;
    }

    /** Answers an option that takes no data with an error if it has some; returns whether all is well. */
    private boolean refuseData(int option, ByteBuf data) {
        if (data.isReadable()) {
            reply(option, REP_ERR_INVALID, "option " + option + " takes no data");
            return false;
        }
        return true;
    }

    /** The only option that has no way to say no: what cannot be granted ends the session. */
    private boolean exportName(ByteBuf data) {
        String name = data.readableBytes() <= MAX_STRING ? data.toString(StandardCharsets.UTF_8) : null;
        Export export = name == null ? null : server.find(name);
        if (export == null) {
            connection.drop("there is no export of the name it asked for");
            return false;
        }
        DeviceQueue queue = open(export);
        if (queue == null) {
            connection.close();
            return false;
        }
        int padding = noZeroes ? 0 : EXPORT_NAME_PADDING;
        ByteBuf reply = connection.allocator().directBuffer(10 + padding);
        reply.writeLong(export.device().size())
                .writeShort(export.transmissionFlags(structured))
                .writeZero(padding);
        connection.replies.write(reply);
        transmit(export, queue);
        return false;
    }

    private boolean go(ByteBuf data) {
        int start = data.readerIndex();
        Export export = exportOf(OPT_GO, data);
        if (export == null) {
            return false;
        }
        DeviceQueue queue = open(export);
        if (queue == null) {
            reply(OPT_GO, REP_ERR_PLATFORM, "the export cannot be opened");
            return false;
        }
        info(OPT_GO, data.readerIndex(start));
        transmit(export, queue);
        return true;
    }

    private void transmit(Export export, DeviceQueue queue) {
        connection.enter(new TransmissionPhase(connection, export, queue, structured, export.equals(contextExport)));
    }

    private @Nullable DeviceQueue open(Export export) {
        try {
            return export.device().open(connection.channel.eventLoop());
        } catch (RuntimeException e) {
            if (server.errors().allows()) {
                LOG.error(
                        "export '{}' cannot be opened{}",
                        Printable.of(export.name()),
                        server.errors().leftOut(),
                        e);
            }
            return null;
        }
    }

    /** The export that INFO or GO names, when their data is well formed; else null, and an error has been sent. */
    private @Nullable Export exportOf(int option, ByteBuf data) {
        OptionData fields = new OptionData(data);
        String name = fields.string();
        int requests = fields.unsignedShort();
        if (name == null || requests < 0 || data.readableBytes() != requests * Short.BYTES) {
            reply(option, REP_ERR_INVALID, "the option's data does not add up");
            return null;
        }
        Export export = server.find(name);
        if (export == null) {
            reply(option, REP_ERR_UNKNOWN, "there is no export of that name");
        }
        return export;
    }

    /** Answers INFO, and GO once it is sure to succeed. */
    private void info(int option, ByteBuf data) {
        Export export = exportOf(option, data);
        if (export == null) {
            return;
        }
        boolean name = false;
        boolean description = false;
        while (data.isReadable()) {
            int request = data.readUnsignedShort();
            name |= request == INFO_NAME;
            description |= request == INFO_DESCRIPTION;
        }
        ByteBuf reply = header(option, REP_INFO, 12).writeShort(INFO_EXPORT);
        reply.writeLong(export.device().size()).writeShort(export.transmissionFlags(structured));
        connection.replies.write(reply);
        reply = header(option, REP_INFO, 14).writeShort(INFO_BLOCK_SIZE);
        reply.writeInt(Transmission.MIN_BLOCK)
                .writeInt(Transmission.PREFERRED_BLOCK)
                .writeInt(Transmission.MAX_PAYLOAD);
        connection.replies.write(reply);
        if (name) {
            text(option, INFO_NAME, export.name());
        }
        if (description) {
            text(option, INFO_DESCRIPTION, export.device().description());
        }
        reply(option, REP_ACK);
    }

    private void text(int option, int type, String value) {
        byte[] bytes = value.getBytes(StandardCharsets.UTF_8);
        connection.replies.write(
                header(option, REP_INFO, 2 + bytes.length).writeShort(type).writeBytes(bytes));
    }

    private void list() {
        for (Export export : server.exports()) {
            byte[] name = export.name().getBytes(StandardCharsets.UTF_8);
            byte[] description = export.device().description().getBytes(StandardCharsets.UTF_8);
            connection.replies.write(header(OPT_LIST, REP_SERVER, 4 + name.length + description.length)
                    .writeInt(name.length)
                    .writeBytes(name)
                    .writeBytes(description));
        }
        reply(OPT_LIST, REP_ACK);
    }

    /** LIST_META_CONTEXT and SET_META_CONTEXT; the latter forgets what was set before, also when it fails. */
    private void metaContext(int option, ByteBuf data) {
        boolean set = option == OPT_SET_META_CONTEXT;
        if (set) {
            contextExport = null;
            if (!structured) {
                reply(option, REP_ERR_INVALID, "structured replies must be negotiated first");
                return;
            }
        }
        OptionData fields = new OptionData(data);
        String name = fields.string();
        long queries = fields.unsignedInt();
        boolean selected = queries == 0 && !set;
        for (long i = 0; i < queries && name != null; i++) {
            String query = fields.string();
            if (query == null || query.indexOf(':') < 0) {
                name = null;
            } else {
                selected |= query.equals(BASE_ALLOCATION) || (query.equals("base:") && !set);
            }
        }
        if (name == null || queries < 0 || data.isReadable()) {
            reply(option, REP_ERR_INVALID, "the option's data does not add up");
            return;
        }
        Export export = server.find(name);
        if (export == null) {
            reply(option, REP_ERR_UNKNOWN, "there is no export of that name");
            return;
        }
        if (selected) {
            byte[] context = BASE_ALLOCATION.getBytes(StandardCharsets.UTF_8);
            connection.replies.write(header(option, REP_META_CONTEXT, 4 + context.length)
                    .writeInt(set ? TransmissionPhase.ALLOCATION_CONTEXT : 0)
                    .writeBytes(context));
            contextExport = set ? export : contextExport;
        }
        reply(option, REP_ACK);
    }

    private void reply(int option, int type) {
        connection.replies.write(header(option, type, 0));
    }

    private void reply(int option, int type, String message) {
        byte[] text = message.getBytes(StandardCharsets.UTF_8);
        connection.replies.write(header(option, type, text.length).writeBytes(text));
    }

    private ByteBuf header(int option, int type, int length) {
        return connection
                .allocator()
                .directBuffer(OPTION_REPLY_HEADER_SIZE + length)
                .writeLong(OPTION_REPLY_MAGIC)
                .writeInt(option)
                .writeInt(type)
                .writeInt(length);
    }

    @Override
    public boolean blocked() {
        return blocked;
    }

    @Override
    public boolean mayProceed() {
        return greeted && connection.replies.hasRoom();
    }

    @Override
    public void turnBegins() {}

    @Override
    public void endOfTurn() {}

    @Override
    public void inputEnded() {
        connection.close();
    }

    @Override
    public void closed() {}
}
