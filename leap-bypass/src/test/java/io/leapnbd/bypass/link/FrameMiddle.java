package io.leapnbd.bypass.link;

import io.leapnbd.donor.protocol.Operation;
import io.leapnbd.donor.protocol.ReplyHeader;
import io.leapnbd.donor.protocol.RequestHeader;
import io.leapnbd.donor.tls.FrameKeys;
import io.leapnbd.donor.tls.FrameTags;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import java.io.DataInputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.atomic.AtomicInteger;

/**
 * Somebody between servers and a donor who passes their TLS on, and takes what follows in clear apart into frames. He does one thing to one frame, on
 * the first connection that gets there.
 */
final class FrameMiddle implements AutoCloseable {

    /** What can be done to a frame. */
    enum Does {
        NOTHING,
        CHANGES_HEADER,
        CHANGES_TAG,
        CHANGES_BODY,
        CHANGES_TAG_OF_BODY,
        LEAVES_OUT,
        SAYS_TWICE,
        SAYS_BEHIND_THE_NEXT,
        SAYS_AN_EARLIER_ONE,
        SENDS_IT_BACK,
        SAYS_THAT_OF_ANOTHER_LINK
    }

    /** Bytes of a record of TLS around its content: the kind of the content and the tag. */
    private static final int AROUND = 17;

    private final ServerSocket listener;
    private final InetSocketAddress donor;
    private final Does does;
    private final boolean toDonor;
    private final int at;
    private final List<Socket> sockets = new CopyOnWriteArrayList<>();

    /** What the first connection that got so far has said there; of an earlier middle. */
    private final List<byte[]> elsewhere;

    /** What came in the direction at hand, a frame each. */
    final List<byte[]> heard = new CopyOnWriteArrayList<>();

    final AtomicInteger connections = new AtomicInteger();
    private final AtomicInteger done = new AtomicInteger();

    FrameMiddle(InetSocketAddress donor, Does does, boolean toDonor, int at, List<byte[]> elsewhere)
            throws IOException {
        this.donor = donor;
        this.does = does;
        this.toDonor = toDonor;
        this.at = at;
        this.elsewhere = elsewhere;
        listener = new ServerSocket(0, 50, InetAddress.getLoopbackAddress());
        Thread.ofVirtual().start(this::accept);
    }

    InetSocketAddress address() {
        return (InetSocketAddress) listener.getLocalSocketAddress();
    }

    /** Whether he has done it. */
    boolean done() {
        return done.get() > 0;
    }

    private void accept() {
        while (!listener.isClosed()) {
            try {
                Socket near = listener.accept();
                Socket far = new Socket(donor.getAddress(), donor.getPort());
                near.setTcpNoDelay(true);
                far.setTcpNoDelay(true);
                sockets.add(near);
                sockets.add(far);
                int number = connections.incrementAndGet();
                Thread.ofVirtual().start(() -> carry(near, far, true, number));
                Thread.ofVirtual().start(() -> carry(far, near, false, number));
            } catch (IOException e) {
                return;
            }
        }
    }

    private void carry(Socket from, Socket to, boolean there, int connection) {
        try (from;
                to) {
            DataInputStream in = new DataInputStream(from.getInputStream());
            passTls(in, to.getOutputStream(), there);
            for (int number = 0; ; number++) {
                byte[] frame = frame(in, there);
                if (there == toDonor && connection == 1) {
                    heard.add(frame);
                }
                if (there == toDonor && number == at && does != Does.NOTHING && done.getAndIncrement() == 0) {
                    act(in, frame, from.getOutputStream(), to.getOutputStream(), there);
                } else {
                    to.getOutputStream().write(frame);
                }
            }
        } catch (IOException e) {
            // One end has ended the connection, and both are closed.
            return;
        }
    }

    /** Up to the record in which the end's part of the keys is. */
    private static void passTls(DataInputStream in, OutputStream out, boolean there) throws IOException {
        int keys = (there ? RequestHeader.LENGTH : ReplyHeader.LENGTH) + FrameKeys.SHARE + AROUND;
        while (true) {
            byte[] record = new byte[5];
            in.readFully(record);
            int length = ((record[3] & 0xff) << 8) | (record[4] & 0xff);
            out.write(record);
            out.write(in.readNBytes(length));
            if (record[0] == 23 && length == keys) {
                return;
            }
        }
    }

    private static byte[] frame(DataInputStream in, boolean there) throws IOException {
        int first = FrameTags.LENGTH + (there ? RequestHeader.LENGTH : ReplyHeader.LENGTH);
        byte[] head = new byte[first];
        in.readFully(head);
        ByteBuf header = Unpooled.wrappedBuffer(head);
        byte operation = head[FrameTags.LENGTH];
        int payload =
                there ? RequestHeader.payload(header, FrameTags.LENGTH) : ReplyHeader.payload(header, FrameTags.LENGTH);
        boolean pages = operation == (there ? Operation.WRITE : Operation.READ);
        byte[] whole = new byte[first + payload + (payload > 0 && !pages ? FrameTags.LENGTH : 0)];
        System.arraycopy(head, 0, whole, 0, first);
        in.readFully(whole, first, whole.length - first);
        return whole;
    }

    private void act(DataInputStream in, byte[] frame, OutputStream back, OutputStream on, boolean there)
            throws IOException {
        int body = FrameTags.LENGTH + (there ? RequestHeader.LENGTH : ReplyHeader.LENGTH);
        List<byte[]> say = new ArrayList<>();
        switch (does) {
            // The cookie: nothing else would find that out.
            case CHANGES_HEADER -> say.add(changed(frame, FrameTags.LENGTH + 7));
            case CHANGES_TAG -> say.add(changed(frame, 3));
            case CHANGES_BODY -> say.add(changed(frame, body + (frame.length - body) / 2 - FrameTags.LENGTH / 2));
            case CHANGES_TAG_OF_BODY -> say.add(changed(frame, frame.length - 1));
            case LEAVES_OUT, NOTHING -> say.clear();
            case SAYS_TWICE -> {
                say.add(frame);
                say.add(frame);
            }
            case SAYS_BEHIND_THE_NEXT -> {
                say.add(frame(in, there));
                say.add(frame);
            }
            case SAYS_AN_EARLIER_ONE -> {
                say.add(heard.get(0));
                say.add(frame);
            }
            case SENDS_IT_BACK -> {
                back.write(frame);
                say.add(frame);
            }
            case SAYS_THAT_OF_ANOTHER_LINK -> say.add(elsewhere.get(at));
        }
        for (byte[] one : say) {
            on.write(one);
        }
    }

    private static byte[] changed(byte[] frame, int at) {
        byte[] out = frame.clone();
        out[at] ^= 1;
        return out;
    }

    @Override
    public void close() throws IOException {
        listener.close();
        for (Socket socket : sockets) {
            socket.close();
        }
    }
}
