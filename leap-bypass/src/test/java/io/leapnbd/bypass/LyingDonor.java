package io.leapnbd.bypass;

import io.leapnbd.donor.protocol.Operation;
import io.leapnbd.donor.protocol.ReplyHeader;
import io.leapnbd.donor.protocol.RequestHeader;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import java.io.EOFException;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.atomic.AtomicInteger;

/**
 * A donor that lies: a relay in front of a real one, which understands what passes. It remembers what was written to it, and answers reads
 * with other bytes, or with frames that are none. Any thread.
 */
final class LyingDonor implements AutoCloseable {

    private static final int PAGE = 4096;

    /** What it makes of a reply to a read. */
    enum Lie {
        /** It answers as it should. */
        NONE,
        /** One bit is another. */
        FLIPPED_BIT,
        /** Zeros. */
        ZEROS,
        /** The bytes that this page had first. */
        OLD_VERSION,
        /** The bytes of another page. */
        OTHER_PAGE,
        /** The two pages of a reply are exchanged; of one page, its halves. */
        SWAPPED,
        /** Half of what was asked for, with a header that says so. */
        SHORT,
        /** More than was asked for, with a header that says so. */
        LONG,
        /** A header that promises 2 GiB. */
        HUGE,
        /** A header that promises less than nothing. */
        NEGATIVE,
        /** The reply, and the reply again. */
        TWICE,
        /** Nothing. */
        NEVER,
        /** A reply to a request that there is not. */
        OTHER_COOKIE,
        /** A reply to another kind of request. */
        OTHER_OPERATION,
        /** It has no such slab. */
        NOT_OWNER,
        /** A status that is none. */
        NO_STATUS,
        /** Numbers of free slabs and of slabs wanted back that cannot be. */
        IMPOSSIBLE_ROOM,
        /** Bytes without meaning. */
        NOISE
    }

    private final ServerSocket listener;
    private final InetSocketAddress upstream;
    private final List<Socket> sockets = new CopyOnWriteArrayList<>();
    private final AtomicInteger lies = new AtomicInteger();

    /** What was written to each page, one after the other, by slab's handle and page. */
    private final Map<Long, List<byte[]>> written = new ConcurrentHashMap<>();

    private volatile Lie lie = Lie.NONE;

    LyingDonor(InetSocketAddress upstream) throws IOException {
        this.upstream = upstream;
        listener = new ServerSocket(0, 50, InetAddress.getLoopbackAddress());
        Thread.ofVirtual().start(this::accept);
    }

    int port() {
        return listener.getLocalPort();
    }

    /** Begins to lie so, about reads. */
    void tell(Lie other) {
        lie = other;
    }

    /** How many replies were lies. */
    int lies() {
        return lies.get();
    }

    /** Every page that was ever written to it. */
    List<byte[]> written() {
        return written.values().stream().flatMap(List::stream).toList();
    }

    private void accept() {
        try {
            while (true) {
                Socket server = listener.accept();
                Socket donor = new Socket(upstream.getAddress(), upstream.getPort());
                server.setTcpNoDelay(true);
                donor.setTcpNoDelay(true);
                sockets.add(server);
                sockets.add(donor);
                Map<Integer, Asked> asked = new ConcurrentHashMap<>();
                relay(server, donor, () -> requests(server.getInputStream(), donor.getOutputStream(), asked));
                relay(server, donor, () -> replies(donor.getInputStream(), server.getOutputStream(), asked));
            }
        } catch (IOException e) {
            // Closed.
            return;
        }
    }

    private interface Direction {
        void run() throws IOException;
    }

    private static void relay(Socket one, Socket other, Direction direction) {
        Thread.ofVirtual().start(() -> {
            try (one;
                    other) {
                direction.run();
            } catch (IOException e) {
                // One end is gone, and so is the other.
                return;
            }
        });
    }

    /** A read that was asked for. */
    private record Asked(int slab, int offset, int length) {}

    private void requests(InputStream in, OutputStream out, Map<Integer, Asked> asked) throws IOException {
        while (true) {
            ByteBuf header = Unpooled.wrappedBuffer(read(in, RequestHeader.LENGTH));
            byte[] payload = read(in, RequestHeader.payload(header, 0));
            byte operation = RequestHeader.operation(header, 0);
            int slab = RequestHeader.slab(header, 0);
            int offset = RequestHeader.offset(header, 0);
            if (operation == Operation.READ) {
                asked.put(RequestHeader.cookie(header, 0), new Asked(slab, offset, RequestHeader.length(header, 0)));
            } else if (operation == Operation.WRITE) {
                for (int at = 0; at + PAGE <= payload.length; at += PAGE) {
                    boolean _ = written.computeIfAbsent(key(slab, offset + at), page -> new CopyOnWriteArrayList<>())
                            .add(Arrays.copyOfRange(payload, at, at + PAGE));
                }
            }
            out.write(header.array());
            out.write(payload);
        }
    }

    private static long key(int slab, int offset) {
        return (long) slab << 32 | offset;
    }

    private void replies(InputStream in, OutputStream out, Map<Integer, Asked> asked) throws IOException {
        while (true) {
            ByteBuf header = Unpooled.wrappedBuffer(read(in, ReplyHeader.LENGTH));
            byte[] payload = read(in, ReplyHeader.payload(header, 0));
            Lie now = lie;
            Asked of = ReplyHeader.operation(header, 0) == Operation.READ
                    ? asked.remove(ReplyHeader.cookie(header, 0))
                    : null;
            if (now == Lie.NONE || of == null || payload.length == 0) {
                out.write(header.array());
                out.write(payload);
            } else {
                int _ = lies.incrementAndGet();
                for (byte[] part : frames(now, of, header, payload)) {
                    out.write(part);
                }
            }
        }
    }

    /** What is sent instead of a reply. Bytes 4 to 8 of a header are the cookie, 8 to 12 the payload's length, 12 to 16 the free slabs. */
    private List<byte[]> frames(Lie now, Asked of, ByteBuf header, byte[] payload) {
        byte[] other = payload.clone();
        ByteBuf changed = header.copy();
        switch (now) {
            case FLIPPED_BIT -> other[other.length / 3] ^= 0x10;
            case ZEROS -> Arrays.fill(other, (byte) 0);
            case OLD_VERSION -> copyPages(other, of, 0);
            case OTHER_PAGE -> copyPages(other, of, PAGE);
            case SWAPPED -> {
                int half = other.length / 2;
                System.arraycopy(payload, half, other, 0, half);
                System.arraycopy(payload, 0, other, half, half);
            }
            case SHORT -> {
                other = Arrays.copyOf(payload, payload.length / 2);
                changed.setInt(8, other.length);
            }
            case LONG -> {
                other = Arrays.copyOf(payload, payload.length + PAGE);
                changed.setInt(8, other.length);
            }
            case HUGE -> changed.setInt(8, Integer.MAX_VALUE);
            case NEGATIVE -> changed.setInt(8, -1);
            case OTHER_COOKIE -> changed.setInt(4, ReplyHeader.cookie(header, 0) + 77_777);
            case OTHER_OPERATION -> changed.setByte(0, Operation.GRANT);
            case NOT_OWNER, NO_STATUS -> {
                changed.setByte(1, now == Lie.NOT_OWNER ? io.leapnbd.donor.protocol.Status.NOT_OWNER : 99);
                changed.setInt(8, 0);
                other = new byte[0];
            }
            case IMPOSSIBLE_ROOM -> changed.setInt(12, -5).setShort(2, 0xffff);
            case NOISE -> {
                new java.util.Random(of.offset).nextBytes(other);
                changed.setBytes(0, other, 0, ReplyHeader.LENGTH);
            }
            default -> {}
        }
        byte[] head = new byte[ReplyHeader.LENGTH];
        changed.getBytes(0, head);
        return switch (now) {
            case NEVER -> List.of();
            case TWICE -> List.of(head, other, head, other);
            default -> List.of(head, other);
        };
    }

    private void copyPages(byte[] into, Asked of, int shift) {
        for (int at = 0; at + PAGE <= into.length; at += PAGE) {
            List<byte[]> versions = written.get(key(of.slab, of.offset + at + shift));
            if (versions != null) {
                System.arraycopy(versions.getFirst(), 0, into, at, PAGE);
            }
        }
    }

    private static byte[] read(InputStream in, int count) throws IOException {
        byte[] bytes = in.readNBytes(count);
        if (bytes.length < count) {
            throw new EOFException();
        }
        return bytes;
    }

    /** Cuts the connections that are open. */
    void cut() throws IOException {
        List<Socket> open = new ArrayList<>(sockets);
        sockets.removeAll(open);
        for (Socket socket : open) {
            socket.close();
        }
    }

    @Override
    public void close() throws IOException {
        listener.close();
        cut();
    }
}
