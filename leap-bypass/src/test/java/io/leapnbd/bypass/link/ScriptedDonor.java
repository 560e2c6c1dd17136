package io.leapnbd.bypass.link;

import io.leapnbd.donor.protocol.Claimant;
import io.leapnbd.donor.protocol.Hello;
import io.leapnbd.donor.protocol.HelloReply;
import io.leapnbd.donor.protocol.Operation;
import io.leapnbd.donor.protocol.Protocol;
import io.leapnbd.donor.protocol.ProtocolException;
import io.leapnbd.donor.protocol.ReplyHeader;
import io.leapnbd.donor.protocol.RequestHeader;
import io.leapnbd.donor.protocol.SlabCopies;
import io.leapnbd.donor.protocol.SlabKey;
import io.leapnbd.donor.protocol.SlabList;
import io.leapnbd.donor.protocol.Status;
import io.leapnbd.donor.rdma.MemoryKeys;
import io.leapnbd.donor.rdma.RdmaClient;
import io.leapnbd.donor.rdma.RdmaConnection;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import java.net.InetSocketAddress;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.UUID;
import java.util.function.IntFunction;
import java.util.function.UnaryOperator;
import javax.net.ssl.SSLContext;
import org.jspecify.annotations.Nullable;

/**
 * A donor that answers every request as one would unless it is told otherwise; its slabs are filled with their handle. It is reached over
 * TCP ({@link ScriptedListener}), or over RDMA without a device, whose reads it does ({@link ScriptedWire}). For one thread.
 */
final class ScriptedDonor implements RdmaDialer {

    static final int SLAB_SIZE = 1 << 20;

    /** Contents of the export. */
    static final UUID CONTENT = new UUID(2, 2);

    /** Reads may land in it. */
    final ByteBuf memory = Unpooled.directBuffer(4 << 20, 4 << 20);

    /** All connections, the latest last. */
    final List<ScriptedConnection> connections = new ArrayList<>();

    /** Those of them that were dialled over RDMA. */
    final List<ScriptedWire> wires = new ArrayList<>();

    UUID incarnation = new UUID(7, 7);
    int readSlots = 8;
    int slabSize = SLAB_SIZE;

    /** The highest version that it says it has seen. */
    long highest;

    int exposedLength = SLAB_SIZE;

    /** Slabs in its list, and how many of them fit one reply. */
    int slabsHeld;

    int slabsAListTakes = 1;

    /** What it says of the copies of each. */
    IntFunction<SlabCopies> copiesListed = _ -> SlabCopies.ALONE;

    /** Whether every list begins with the first slab, whatever it is asked for. */
    boolean listStartsOver;

    /** Whether a newer server has claimed the export. */
    boolean ownedByNewer;

    /** What the next hellos are answered with. */
    byte helloStatus = Status.OK;

    /** What everything else is. */
    byte status = Status.OK;

    /** Whether nothing is answered, and no read is done, until {@link ScriptedConnection#answerAll}. */
    boolean silent;

    /** Whether hellos are not answered either. */
    boolean deaf;

    /** What it shows over RDMA to servers of its pool; null: it uses no TLS. */
    @Nullable
    SSLContext shows;

    /** Whether it says nothing in the handshake. */
    boolean silentInHandshake;

    /** Whether each record of its handshake is a message of its own, all at once, before what they answer is known to have left. */
    boolean recordsAlone;

    /** Whether it ends the connection when it has refused the server. */
    boolean endsAfterAlert;

    /** Whether it does not say that it knows the server. */
    boolean neverReady;

    /** What a man in the middle makes of what it says after the handshake. */
    UnaryOperator<ByteBuf> onTheWay = UnaryOperator.identity();

    @Override
    public RdmaConnection dial(InetSocketAddress to, RdmaClient.Shape shape, RdmaPeerEvents events) {
        ScriptedWire wire = new ScriptedWire(this, shape, events);
        wires.add(wire);
        connections.add(wire);
        return wire;
    }

    ScriptedConnection connection() {
        return connections.getLast();
    }

    /** Whether the answer to a request waits for {@link ScriptedConnection#answerAll}. */
    boolean holdsBack(boolean hello) {
        return hello ? deaf : silent;
    }

    ScriptedWire wire() {
        return wires.getLast();
    }

    MemoryKeys registered() {
        return new MemoryKeys(List.of(new MemoryKeys.Region(memory.memoryAddress(), memory.capacity(), 77)));
    }

    /** Where a slab begins in the address space of the donor that is not there. */
    static long address(int handle) {
        return (long) handle << 32;
    }

    private static boolean joins(ByteBuf request) {
        try {
            return Hello.decode(request.slice(RequestHeader.LENGTH, RequestHeader.payload(request, 0)))
                            .mode()
                    == Hello.Mode.JOIN;
        } catch (ProtocolException e) {
            throw new IllegalArgumentException(e);
        }
    }

    /** The reply to a request. */
    ByteBuf answer(ByteBuf request) {
        byte operation = RequestHeader.operation(request, 0);
        byte how = operation == Operation.HELLO ? helloStatus : status;
        if (operation == Operation.HELLO && ownedByNewer) {
            how = joins(request) ? Status.FENCED : Status.OK;
        }
        boolean told = operation == Operation.HELLO && ownedByNewer;
        ByteBuf body = how == Status.OK || told ? body(operation, request) : Unpooled.EMPTY_BUFFER;
        ByteBuf reply = Unpooled.buffer();
        reply.writeZero(ReplyHeader.LENGTH);
        reply.writeBytes(body);
        ReplyHeader.encode(reply, 0, operation, how, RequestHeader.cookie(request, 0), body.writerIndex(), 5);
        return reply;
    }

    private ByteBuf body(byte operation, ByteBuf request) {
        int slab = RequestHeader.slab(request, 0);
        ByteBuf body = Unpooled.buffer();
        switch (operation) {
            case Operation.HELLO ->
                new HelloReply(
                                Protocol.VERSION,
                                incarnation,
                                new HelloReply.Limits(slabSize, 8, 60),
                                ownedByNewer ? 2 : 1,
                                ownedByNewer ? CONTENT : HelloReply.NONE,
                                ownedByNewer ? new Claimant(new UUID(9, 9), 2, HelloReply.NONE, "") : Claimant.NOBODY,
                                HelloReply.Activity.NONE,
                                new HelloReply.Room(9, 8, 5, 0),
                                highest,
                                0,
                                ByteBuffer.allocate(0))
                        .encode(body);
            case Operation.READ -> {
                for (int i = 0; i < RequestHeader.length(request, 0); i++) {
                    body.writeByte(slab);
                }
            }
            case Operation.GRANT -> body.writeInt(slab + 40);
            case Operation.EXPOSE -> new SlabKey(address(slab), exposedLength, slab * 3).encode(body);
            case Operation.LIST -> list(listStartsOver ? 0 : slab).encode(body);
            default -> {}
        }
        return body;
    }

    private SlabList list(int from) {
        SlabList part = new SlabList();
        for (int index = from; index < slabsHeld && part.size() < slabsAListTakes; index++) {
            part.add(index, 100 + index, 1, 1, true, copiesListed.apply(index));
        }
        part.more(from + part.size() < slabsHeld);
        return part;
    }
}
