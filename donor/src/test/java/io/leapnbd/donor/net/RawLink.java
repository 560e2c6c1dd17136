package io.leapnbd.donor.net;

import static org.assertj.core.api.Assertions.assertThat;

import io.leapnbd.donor.Hellos;
import io.leapnbd.donor.Pages;
import io.leapnbd.donor.protocol.Hello;
import io.leapnbd.donor.protocol.HelloReply;
import io.leapnbd.donor.protocol.Operation;
import io.leapnbd.donor.protocol.Protocol;
import io.leapnbd.donor.protocol.ProtocolException;
import io.leapnbd.donor.protocol.ReplyHeader;
import io.leapnbd.donor.protocol.RequestHeader;
import io.leapnbd.donor.protocol.Status;
import io.leapnbd.donor.protocol.Version;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import java.io.IOException;
import java.io.OutputStream;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.net.SocketException;

/** A server's end of a link over a plain blocking socket. A read fails if nothing comes for 20 s. */
final class RawLink implements AutoCloseable {

    final Socket socket;

    /** Who {@link #claim} said that it is. */
    long server = 1;

    private int cookie;

    RawLink(InetSocketAddress address) throws IOException {
        this(connected(address));
    }

    /** Over TLS, perhaps. */
    RawLink(Socket socket) {
        this.socket = socket;
    }

    static Socket connected(InetSocketAddress address) throws IOException {
        Socket socket = new Socket();
        socket.setTcpNoDelay(true);
        socket.setSoTimeout(20_000);
        socket.connect(address);
        return socket;
    }

    /** A link of a server, which is known by a number: it joins the server's own claim, or takes the export over. */
    static RawLink claim(InetSocketAddress address, String export, long server) throws Exception {
        RawLink link = new RawLink(address);
        HelloReply found = link.hello(Hellos.observe(export)).helloReply();
        assertThat(found.version()).isEqualTo(Protocol.VERSION);
        Reply reply = link.hello(Hellos.after(found, export, server));
        assertThat(reply.status()).isEqualTo(Status.OK);
        link.server = server;
        return link;
    }

    record Reply(byte operation, byte status, int cookie, int freeSlabs, int wantedBack, ByteBuf body) {

        byte[] payload() {
            return Pages.content(body);
        }

        HelloReply helloReply() throws ProtocolException {
            return HelloReply.decode(body.slice());
        }

        int handle() {
            assertThat(status).isEqualTo(Status.OK);
            return body.getInt(0);
        }
    }

    /** A whole frame. */
    static byte[] frame(byte operation, int cookie, int slab, int offset, int length, long version, byte... payload) {
        ByteBuf frame = Unpooled.buffer(RequestHeader.LENGTH + payload.length);
        RequestHeader.encode(frame, 0, operation, cookie, slab, offset, length, payload.length, version);
        frame.writerIndex(RequestHeader.LENGTH).writeBytes(payload);
        return frame.array();
    }

    static byte[] frame(Hello hello) {
        ByteBuf body = Unpooled.buffer();
        hello.encode(body);
        byte[] bytes = new byte[body.readableBytes()];
        body.readBytes(bytes);
        return frame(Operation.HELLO, 77, 0, 0, 0, 0, bytes);
    }

    void send(byte[] bytes) throws IOException {
        socket.getOutputStream().write(bytes);
    }

    void send(byte[] bytes, int from, int length) throws IOException {
        socket.getOutputStream().write(bytes, from, length);
    }

    Reply receive() throws IOException {
        ByteBuf header = Unpooled.wrappedBuffer(read(ReplyHeader.LENGTH));
        return new Reply(
                ReplyHeader.operation(header, 0),
                ReplyHeader.status(header, 0),
                ReplyHeader.cookie(header, 0),
                ReplyHeader.freeSlabs(header, 0),
                ReplyHeader.wantedBack(header, 0),
                Unpooled.wrappedBuffer(read(ReplyHeader.payload(header, 0))));
    }

    private byte[] read(int count) throws IOException {
        byte[] bytes = socket.getInputStream().readNBytes(count);
        assertThat(bytes).as("the link was closed").hasSize(count);
        return bytes;
    }

    /** Whether the donor ends the connection, orderly or not, with nothing more to read. */
    boolean endsWithoutAWord() throws IOException {
        try {
            return socket.getInputStream().read() < 0;
        } catch (SocketException e) {
            return true;
        }
    }

    /** Likewise; whether that is orderly. */
    boolean endsInGoodOrder() throws IOException {
        try {
            assertThat(socket.getInputStream().read()).isNegative();
            return true;
        } catch (SocketException e) {
            return false;
        }
    }

    /** Reads all that comes; whether the end of it is orderly. */
    boolean drainsInGoodOrder() throws IOException {
        try {
            socket.getInputStream().transferTo(OutputStream.nullOutputStream());
            return true;
        } catch (SocketException e) {
            return false;
        }
    }

    Reply hello(Hello hello) throws IOException {
        send(frame(hello));
        return receive();
    }

    Reply ask(byte operation, int slab, int offset, int length, long version, byte... payload) throws IOException {
        int mine = ++cookie;
        send(frame(operation, mine, slab, offset, length, version, payload));
        Reply reply = receive();
        assertThat(reply.cookie()).isEqualTo(mine);
        assertThat(reply.operation()).isEqualTo(operation);
        return reply;
    }

    long version(long count) {
        return count + 1;
    }

    long grantVersion() {
        return Version.ofGrant(server, 0);
    }

    int grant(int index) throws IOException {
        return ask(Operation.GRANT, index, 0, 0, grantVersion()).handle();
    }

    byte write(int handle, int offset, long count, byte... bytes) throws IOException {
        return ask(Operation.WRITE, handle, offset, bytes.length, version(count), bytes)
                .status();
    }

    byte[] read(int handle, int offset, int length) throws IOException {
        Reply reply = ask(Operation.READ, handle, offset, length, 0);
        assertThat(reply.status()).isEqualTo(Status.OK);
        assertThat(reply.payload()).hasSize(length);
        return reply.payload();
    }

    @Override
    public void close() throws IOException {
        socket.close();
    }
}
