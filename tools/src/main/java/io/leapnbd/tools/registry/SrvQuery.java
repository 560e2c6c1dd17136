package io.leapnbd.tools.registry;

import io.leapnbd.tools.cli.HostPort;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.net.DatagramPacket;
import java.net.DatagramSocket;
import java.net.InetSocketAddress;
import java.net.PortUnreachableException;
import java.net.Socket;
import java.net.SocketTimeoutException;
import java.nio.BufferUnderflowException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.SecureRandom;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import org.jspecify.annotations.Nullable;

/**
 * A question for SRV records (RFC 1035, 2782) and its answer. The JDK offers DNS by JNDI only, which hides how long an answer is good. It asks name servers over UDP, and over TCP
 * what does not fit.
 */
final class SrvQuery {

    /**
     * What was answered.
     *
     * @param targets hosts and ports, in no order; none if there are no such records
     * @param seconds how long that is good, at least
     */
    record Answer(List<HostPort> targets, long seconds) {}

    private static final Path SERVERS = Path.of("/etc/resolv.conf");

    private static final int SRV = 33;
    private static final int OPT = 41;
    private static final int INTERNET = 1;
    private static final int HEAD = 12;

    /** What arrives in one packet wherever it comes from (DNS flag day 2020). */
    private static final int LONGEST_PACKET = 1232;

    private static final int TIMEOUT_MILLIS = 1_500;
    private static final int ATTEMPTS = 2;
    private static final int MOST_SERVERS = 3;

    private static final int RESPONSE = 0x8000;
    private static final int TRUNCATED = 0x0200;
    private static final int WANT_RECURSION = 0x0100;
    private static final int CODE = 0x000f;
    private static final int NO_SUCH_NAME = 3;

    private static final SecureRandom RANDOM = new SecureRandom();

    private SrvQuery() {}

    /**
     * Asks.
     *
     * @throws IOException in a few words, if nobody answers, or the answer is none
     */
    static Answer ask(DonorSource.Dns dns) throws IOException {
        IOException last = null;
        for (int attempt = 0; attempt < ATTEMPTS; attempt++) {
            for (InetSocketAddress server : servers(dns.server())) {
                byte[] question = question(RANDOM.nextInt(1 << 16), dns.name());
                try {
                    return ask(server, question);
                } catch (SocketTimeoutException e) {
                    last = new IOException(server + " does not answer", e);
                } catch (PortUnreachableException e) {
                    last = new IOException("nobody listens at " + server, e);
                } catch (NoSuchName e) {
                    throw e;
                } catch (IOException e) {
                    last = e;
                }
            }
        }
        throw last == null ? new IOException("this machine has no name server: " + SERVERS + " names none") : last;
    }

    private static List<InetSocketAddress> servers(@Nullable HostPort given) throws IOException {
        List<InetSocketAddress> servers = new ArrayList<>();
        if (given != null) {
            servers.add(given.resolve());
        } else if (Files.isReadable(SERVERS)) {
            for (String line : Files.readAllLines(SERVERS, StandardCharsets.ISO_8859_1)) {
                String[] words = line.strip().split("\\s+", -1);
                if (words.length > 1 && words[0].equals("nameserver") && servers.size() < MOST_SERVERS) {
                    servers.add(new InetSocketAddress(words[1], 53));
                }
            }
        }
        return servers;
    }

    private static Answer ask(InetSocketAddress server, byte[] question) throws IOException {
        if (server.isUnresolved()) {
            throw new IOException("there is no host of the name " + server.getHostString());
        }
        byte[] received = overUdp(server, question);
        boolean truncated = (ByteBuffer.wrap(received).getShort(2) & TRUNCATED) != 0;
        return parse(question, truncated ? overTcp(server, question) : received);
    }

    private static byte[] overUdp(InetSocketAddress server, byte[] question) throws IOException {
        try (DatagramSocket socket = new DatagramSocket()) {
            // Only that server's packets arrive then.
            socket.connect(server);
            socket.setSoTimeout(TIMEOUT_MILLIS);
            socket.send(new DatagramPacket(question, question.length));
            byte[] room = new byte[LONGEST_PACKET];
            long end = System.nanoTime() + TIMEOUT_MILLIS * 1_000_000L;
            while (System.nanoTime() - end < 0) {
                DatagramPacket packet = new DatagramPacket(room, room.length);
                socket.receive(packet);
                // A late answer to another question is passed over.
                if (packet.getLength() >= HEAD && room[0] == question[0] && room[1] == question[1]) {
                    return Arrays.copyOf(room, packet.getLength());
                }
            }
            throw new SocketTimeoutException("only answers to other questions");
        }
    }

    private static byte[] overTcp(InetSocketAddress server, byte[] question) throws IOException {
        try (Socket socket = new Socket()) {
            socket.connect(server, TIMEOUT_MILLIS);
            socket.setSoTimeout(TIMEOUT_MILLIS);
            DataOutputStream out = new DataOutputStream(socket.getOutputStream());
            out.writeShort(question.length);
            out.write(question);
            DataInputStream in = new DataInputStream(socket.getInputStream());
            byte[] answer = new byte[in.readUnsignedShort()];
            in.readFully(answer);
            return answer;
        }
    }

    static byte[] question(int id, String name) throws IOException {
        ByteBuffer out = ByteBuffer.allocate(512);
        out.putShort((short) id).putShort((short) WANT_RECURSION);
        out.putShort((short) 1).putShort((short) 0).putShort((short) 0).putShort((short) 1);
        for (String label : name.replaceFirst("\\.$", "").split("\\.", -1)) {
            byte[] bytes = label.getBytes(StandardCharsets.US_ASCII);
            if (bytes.length == 0 || bytes.length > 63) {
                throw new IOException("'" + name + "' is no name");
            }
            out.put((byte) bytes.length).put(bytes);
        }
        out.put((byte) 0).putShort((short) SRV).putShort((short) INTERNET);
        // How long an answer may be (RFC 6891).
        out.put((byte) 0)
                .putShort((short) OPT)
                .putShort((short) LONGEST_PACKET)
                .putInt(0)
                .putShort((short) 0);
        return Arrays.copyOf(out.array(), out.position());
    }

    /** The name does not exist, as somebody says who has to know. */
    private static final class NoSuchName extends IOException {

        private static final long serialVersionUID = 1;

        NoSuchName() {
            super("there is no such name");
        }
    }

    static Answer parse(byte[] question, byte[] answer) throws IOException {
        try {
            ByteBuffer in = ByteBuffer.wrap(answer);
            boolean isAnswer = in.getShort() == ByteBuffer.wrap(question).getShort();
            int flags = in.getShort() & 0xffff;
            int questions = in.getShort() & 0xffff;
            int records = in.getShort() & 0xffff;
            in.position(HEAD);
            if (!isAnswer || (flags & RESPONSE) == 0 || questions != 1) {
                throw new IOException("its answer is no answer to this question");
            }
            if ((flags & CODE) == NO_SUCH_NAME) {
                throw new NoSuchName();
            }
            if ((flags & CODE) != 0) {
                throw new IOException("DNS answers with error " + (flags & CODE));
            }
            String _ = name(in);
            in.position(in.position() + 4);
            List<HostPort> targets = new ArrayList<>();
            long seconds = Integer.MAX_VALUE;
            for (int i = 0; i < records; i++) {
                String _ = name(in);
                int type = in.getShort() & 0xffff;
                int of = in.getShort();
                long good = in.getInt() & 0xffff_ffffL;
                int length = in.getShort() & 0xffff;
                int next = in.position() + length;
                if (type == SRV && of == INTERNET && targets.size() < DonorListing.MOST) {
                    in.position(in.position() + 4);
                    int port = in.getShort() & 0xffff;
                    String host = name(in);
                    seconds = Math.min(seconds, good);
                    // A dot alone says that there is no such service.
                    if (!host.isEmpty()) {
                        targets.add(new HostPort(host, port));
                    }
                }
                in.position(next);
            }
            return new Answer(targets, targets.isEmpty() ? 0 : seconds);
        } catch (BufferUnderflowException | IllegalArgumentException e) {
            throw new IOException("its answer is cut off, or no answer", e);
        }
    }

    /** A name, which may go on at an earlier place (RFC 1035, 4.1.4). */
    private static String name(ByteBuffer in) throws IOException {
        StringBuilder name = new StringBuilder();
        int after = -1;
        while (true) {
            int length = in.get() & 0xff;
            if (length == 0) {
                break;
            }
            if (length >= 0xc0) {
                int to = (length & 0x3f) << 8 | (in.get() & 0xff);
                int at = in.position() - 2;
                after = after < 0 ? in.position() : after;
                if (to >= at) {
                    throw new IOException("its answer goes in circles");
                }
                in.position(to);
                continue;
            }
            byte[] label = new byte[length];
            in.get(label);
            name.append(name.isEmpty() ? "" : ".").append(new String(label, StandardCharsets.US_ASCII));
            if (length > 63 || name.length() > 255) {
                throw new IOException("its answer has no name where one has to be");
            }
        }
        if (after >= 0) {
            in.position(after);
        }
        return name.toString().toLowerCase(Locale.ROOT);
    }
}
