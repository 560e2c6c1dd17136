package io.leapnbd.tools.linux;

import java.io.IOException;
import java.net.Inet4Address;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.stream.Stream;

/** Whose process is at the other end of a TCP connection that does not leave this machine, as {@code /proc/net/tcp} has it (proc(5)). */
public final class PeerUser {

    private static final List<Path> TABLES = List.of(Path.of("/proc/net/tcp"), Path.of("/proc/net/tcp6"));
    private static final Path SELF = Path.of("/proc/self/status");

    // Of a line of these tables.
    private static final int THEIRS = 1;
    private static final int OURS = 2;
    private static final int USER = 7;
    private static final int INODE = 9;

    /** Of a connection that its process has closed: the kernel then calls it root's, whoever had it. */
    private static final String NONE = "0";

    private PeerUser() {}

    /**
     * Whether it is root's, or this process's user's. Any thread; reads the tables anew each time.
     *
     * @param theirs the other end of the connection
     * @param ours this end of it
     * @return false too if no such connection is found
     */
    public static boolean isTrusted(InetSocketAddress theirs, InetSocketAddress ours) {
        String root = "0";
        return TABLES.stream()
                .flatMap(table -> in(table, theirs, ours).stream())
                .findFirst()
                .filter(user -> user.equals(root) || own().filter(user::equals).isPresent())
                .isPresent();
    }

    private static Optional<String> in(Path table, InetSocketAddress theirs, InetSocketAddress ours) {
        try (Stream<String> lines = Files.lines(table)) {
            return user(lines, theirs, ours);
        } catch (IOException e) {
            return Optional.empty();
        }
    }

    /** The number of the user in a table's lines who has the other end; nothing if nobody has, or it is closed there. */
    static Optional<String> user(Stream<String> table, InetSocketAddress theirs, InetSocketAddress ours) {
        return table.map(line -> line.strip().split("\\s+", -1))
                .filter(fields -> fields.length > INODE
                        && !fields[INODE].equals(NONE)
                        && is(fields[THEIRS], theirs)
                        && is(fields[OURS], ours))
                .map(fields -> fields[USER])
                .findFirst();
    }

    private static boolean is(String end, InetSocketAddress address) {
        String port = ":%04X".formatted(address.getPort());
        String host = hex(address.getAddress());
        return end.equals(host + port)
                || (address.getAddress() instanceof Inet4Address
                        && end.equals("0000000000000000FFFF0000" + host + port));
    }

    /** As the kernel writes an address: in words of four bytes, each as a number of this machine, which has the last byte first. */
    private static String hex(InetAddress address) {
        byte[] bytes = address.getAddress();
        StringBuilder hex = new StringBuilder();
        for (int word = 0; word < bytes.length; word += Integer.BYTES) {
            for (int i = Integer.BYTES - 1; i >= 0; i--) {
                hex.append("%02X".formatted(bytes[word + i]));
            }
        }
        return hex.toString().toUpperCase(Locale.ROOT);
    }

    /** The effective user of this process. */
    private static Optional<String> own() {
        return KernelFile.read(SELF)
                .flatMap(text -> text.lines()
                        .filter(line -> line.startsWith("Uid:"))
                        .map(line -> line.split("\\s+", -1)[2])
                        .findFirst());
    }
}
