package io.leapnbd.bypass;

import io.leapnbd.donor.protocol.Operation;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import org.jspecify.annotations.Nullable;

/**
 * A donor that lies, made of a real one: a relay that knows the frames of the donor protocol (donor/PROTOCOL.md, section 1), keeps what was written, and answers
 * reads with what a test says.
 */
final class AnswersRelay implements AutoCloseable {

    private static final int REQUEST = 32;
    private static final int REPLY = 16;

    /** What is answered in place of a page's bytes. */
    @FunctionalInterface
    interface Lie {
        byte[] answer(long offset, byte[] right);
    }

    private final ServerSocket listener = new ServerSocket(0, 50, InetAddress.getLoopbackAddress());
    private final InetSocketAddress donor;
    private final List<Socket> sockets = new ArrayList<>();

    /** All bytes of every write, by where it was, in their order. */
    final Map<Long, List<byte[]>> written = new ConcurrentHashMap<>();

    private volatile @Nullable Lie lie;
    private volatile int lies;

    AnswersRelay(InetSocketAddress donor) throws IOException {
        this.donor = donor;
        Thread.ofVirtual().start(this::accept);
    }

    int port() {
        return listener.getLocalPort();
    }

    /** What was written to a page at first, then, and so on. */
    byte[] version(long offset, int number) {
        List<byte[]> all = written.getOrDefault(offset, List.of());
        synchronized (all) {
            return all.get(number);
        }
    }

    /** From now on; null for the truth. */
    void tell(@Nullable Lie how) {
        lie = how;
    }

    /** How many pages were not what they are. */
    int lies() {
        return lies;
    }

    private void accept() {
        try {
            while (true) {
                Socket client = listener.accept();
                Socket there = new Socket(donor.getAddress(), donor.getPort());
                client.setTcpNoDelay(true);
                there.setTcpNoDelay(true);
                synchronized (sockets) {
                    sockets.add(client);
                    sockets.add(there);
                }
                Map<Integer, Long> reads = new ConcurrentHashMap<>();
                Thread.ofVirtual().start(() -> relay(client, there, REQUEST, reads));
                Thread.ofVirtual().start(() -> relay(there, client, REPLY, reads));
            }
        } catch (IOException e) {
            // Closed.
        }
    }

    private void relay(Socket from, Socket to, int headerLength, Map<Integer, Long> reads) {
        try (from;
                to) {
            DataInputStream in = new DataInputStream(from.getInputStream());
            DataOutputStream out = new DataOutputStream(to.getOutputStream());
            byte[] header = new byte[headerLength];
            while (true) {
                in.readFully(header);
                ByteBuffer fields = ByteBuffer.wrap(header);
                int cookie = fields.getInt(4);
                byte[] payload = new byte[fields.getInt(headerLength == REQUEST ? 20 : 8)];
                in.readFully(payload);
                if (headerLength == REPLY) {
                    Long offset = fields.get(0) == Operation.READ ? reads.remove(cookie) : null;
                    payload = offset == null ? payload : answer(offset, payload);
                } else if (fields.get(0) == Operation.READ) {
                    reads.put(cookie, fields.getInt(12) & 0xffff_ffffL);
                } else if (fields.get(0) == Operation.WRITE) {
                    note(fields.getInt(12) & 0xffff_ffffL, payload);
                }
                // In one piece, as a donor sends it.
                byte[] frame = new byte[headerLength + payload.length];
                System.arraycopy(header, 0, frame, 0, headerLength);
                System.arraycopy(payload, 0, frame, headerLength, payload.length);
                out.write(frame);
            }
        } catch (IOException e) {
            // One of them has ended.
        }
    }

    private void note(long offset, byte[] payload) {
        for (int at = 0; at < payload.length; at += 4096) {
            byte[] page = Arrays.copyOfRange(payload, at, at + 4096);
            List<byte[]> before = written.computeIfAbsent(offset + at, any -> new ArrayList<>());
            synchronized (before) {
                before.add(page);
            }
        }
    }

    private synchronized byte[] answer(long offset, byte[] right) {
        Lie how = lie;
        if (how == null || right.length % 4096 != 0) {
            return right;
        }
        byte[] all = right.clone();
        for (int at = 0; at < right.length; at += 4096) {
            byte[] page = Arrays.copyOfRange(right, at, at + 4096);
            byte[] told = how.answer(offset + at, page);
            lies += Arrays.equals(told, page) ? 0 : 1;
            System.arraycopy(told, 0, all, at, 4096);
        }
        return all;
    }

    @Override
    public void close() throws IOException {
        listener.close();
        synchronized (sockets) {
            for (Socket socket : sockets) {
                socket.close();
            }
        }
    }
}
