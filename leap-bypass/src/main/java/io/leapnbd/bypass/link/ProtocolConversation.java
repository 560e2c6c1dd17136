package io.leapnbd.bypass.link;

import io.leapnbd.donor.protocol.Hello;
import io.leapnbd.donor.protocol.HelloReply;
import io.leapnbd.donor.protocol.Operation;
import io.leapnbd.donor.protocol.PageMarks;
import io.leapnbd.donor.protocol.PrintableText;
import io.leapnbd.donor.protocol.ProtocolException;
import io.leapnbd.donor.protocol.ReplyHeader;
import io.leapnbd.donor.protocol.RequestHeader;
import io.leapnbd.donor.protocol.SlabCopies;
import io.leapnbd.donor.protocol.SlabList;
import io.leapnbd.donor.protocol.Status;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.HashSet;
import java.util.Set;
import java.util.UUID;

/** A conversation in the donor protocol, over any transport. {@code donor/PROTOCOL.md} has the requests. */
final class ProtocolConversation implements Conversation {

    /** A donor has no more slabs than that; who lists more lies. */
    private static final int MAX_SLABS = 1 << 20;

    /** Donor processes that the slabs of a donor may name. */
    private static final int MAX_NAMED = 1 << 16;

    private final Exchange exchange;

    ProtocolConversation(Exchange exchange) {
        this.exchange = exchange;
    }

    @Override
    public Greeted hello(Hello hello) throws IOException {
        ByteBuf body = Unpooled.buffer();
        hello.encode(body);
        ByteBuf answer = ask(Operation.HELLO, 0, 0, 0, 0, body);
        byte status = ReplyHeader.status(answer, 0);
        answer.skipBytes(ReplyHeader.LENGTH);
        if (status == Status.OTHER_IDENTITY) {
            String owner = PrintableText.of(answer.toString(StandardCharsets.UTF_8));
            throw RefusedException.ownedByAnother(
                    "refuses this server: export " + PrintableText.of(hello.export()) + " belongs to '" + owner
                            + "' there; give this one another --export, or a certificate of that identity (leap-nbd pool add --identity "
                            + owner + "), or restart that donor if nobody needs what it holds");
        }
        if (status == Status.UNAUTHENTICATED) {
            throw new RefusedException("refuses this server: " + Status.name(status));
        }
        if (status == Status.UNSUPPORTED_VERSION || (status == Status.BAD_REQUEST && !answer.isReadable())) {
            throw new IOException("speaks another version of the donor protocol (it answers " + Status.name(status)
                    + "); run the same version of leap-nbd on servers and donors");
        }
        try {
            return new Greeted(status, answer.isReadable() ? HelloReply.decode(answer) : null);
        } catch (ProtocolException e) {
            throw new IOException(e.getMessage(), e);
        }
    }

    @Override
    public void list(SlabSink sink) throws IOException {
        int from = 0;
        int told = 0;
        Set<UUID> named = new HashSet<>();
        while (true) {
            SlabList part;
            try {
                part = SlabList.decode(ok(ask(Operation.LIST, from, 0, 0, 0, Unpooled.EMPTY_BUFFER)));
            } catch (ProtocolException e) {
                throw new IOException(e.getMessage(), e);
            }
            told += part.size();
            if (told > MAX_SLABS || (part.size() > 0 && part.index(0) < from)) {
                throw new IOException("its list of slabs does not come to an end");
            }
            for (int i = 0; i < part.size(); i++) {
                part.copies(i).names().forEach(name -> named.add(name.incarnation()));
                if (named.size() > MAX_NAMED) {
                    throw new IOException("its list of slabs names too many donors");
                }
                sink.on(
                        part.index(i),
                        part.handle(i),
                        part.grantVersion(i),
                        part.generation(i),
                        part.touched(i),
                        part.copies(i));
            }
            if (!part.more()) {
                return;
            }
            int last = part.index(part.size() - 1);
            if (last == Integer.MAX_VALUE) {
                throw new IOException("its list of slabs does not come to an end");
            }
            from = last + 1;
        }
    }

    @Override
    public PageMarks pages(int handle, int offset, int length) throws IOException {
        try {
            return PageMarks.decode(ok(ask(Operation.PAGES, handle, offset, length, 0, Unpooled.EMPTY_BUFFER)), length);
        } catch (ProtocolException e) {
            throw new IOException(e.getMessage(), e);
        }
    }

    @Override
    public byte place(int handle, long generation, SlabCopies copies) throws IOException {
        ByteBuf body = Unpooled.buffer(SlabCopies.MAX_LENGTH);
        copies.encode(body);
        return ReplyHeader.status(ask(Operation.PLACE, handle, 0, 0, generation, body), 0);
    }

    @Override
    public byte free(int handle, long generation) throws IOException {
        return ReplyHeader.status(ask(Operation.FREE, handle, 0, 0, generation, Unpooled.EMPTY_BUFFER), 0);
    }

    @Override
    public void note(ByteBuffer note, long version) throws IOException {
        ByteBuf _ = ok(ask(Operation.NOTE, 0, 0, 0, version, Unpooled.wrappedBuffer(note)));
    }

    @Override
    public void close() {
        exchange.close();
    }

    private static ByteBuf ok(ByteBuf answer) throws IOException {
        byte status = ReplyHeader.status(answer, 0);
        if (status != Status.OK) {
            throw new IOException("refused: " + Status.name(status));
        }
        return answer.skipBytes(ReplyHeader.LENGTH);
    }

    private ByteBuf ask(byte operation, int slab, int offset, int length, long version, ByteBuf body)
            throws IOException {
        ByteBuf frame = Unpooled.buffer(RequestHeader.LENGTH + body.readableBytes());
        RequestHeader.encode(frame, 0, operation, 0, slab, offset, length, body.readableBytes(), version);
        frame.writerIndex(RequestHeader.LENGTH).writeBytes(body);
        ByteBuf answer = exchange.ask(operation, frame);
        if (ReplyHeader.operation(answer, 0) != operation) {
            throw new IOException("does not speak the donor protocol; is it a leap-nbd donor?");
        }
        return answer;
    }
}
