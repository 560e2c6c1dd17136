package io.leapnbd.nbd.tls;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.SeekableByteChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.PosixFilePermission;
import java.util.Arrays;
import java.util.EnumSet;
import java.util.HashMap;
import java.util.HexFormat;
import java.util.Map;
import java.util.Set;

/**
 * A file of shared keys, as GnuTLS's {@code psktool} writes it and nbdkit, qemu and libnbd read it: on each line a name, a colon and a key in
 * hexadecimal digits. A name that begins with {@code #} is in hexadecimal digits too. Blank lines are skipped; there are no comments.
 *
 * @param path of the file
 */
public record PskFile(Path path) {

    private static final int MOST_BYTES = 1 << 20;

    private static final Set<PosixFilePermission> OTHERS = EnumSet.of(
            PosixFilePermission.GROUP_READ,
            PosixFilePermission.GROUP_WRITE,
            PosixFilePermission.OTHERS_READ,
            PosixFilePermission.OTHERS_WRITE);

    private static final String FORM = "; each line is NAME:HEXKEY, as 'psktool -u NAME -p FILE' writes it";

    /**
     * Reads it now. What is wrong with a line is said with its number, and without what is in it.
     *
     * @throws IOException in one sentence, if there is no such file, others may read it, or a line is wrong
     */
    public PskKeys read() throws IOException {
        byte[] content = content();
        try {
            return parse(new String(content, StandardCharsets.ISO_8859_1));
        } finally {
            Arrays.fill(content, (byte) 0);
        }
    }

    private byte[] content() throws IOException {
        if (Files.isSymbolicLink(path)) {
            throw new IOException(path + " is a symbolic link; name the file that it leads to");
        }
        if (!Files.isRegularFile(path, LinkOption.NOFOLLOW_LINKS)) {
            throw new IOException(path + (Files.exists(path) ? " is not a file" : " does not exist") + FORM);
        }
        try (SeekableByteChannel file =
                Files.newByteChannel(path, Set.of(StandardOpenOption.READ, LinkOption.NOFOLLOW_LINKS))) {
            boolean shared = Files.getPosixFilePermissions(path, LinkOption.NOFOLLOW_LINKS).stream()
                    .anyMatch(OTHERS::contains);
            if (shared || !isOwn()) {
                throw new IOException("others may read or change the keys in " + path + "; give it mode 0600");
            }
            if (file.size() > MOST_BYTES) {
                throw new IOException(path + " has more than " + MOST_BYTES + " bytes" + FORM);
            }
            ByteBuffer content = ByteBuffer.allocate((int) file.size());
            while (content.hasRemaining() && file.read(content) >= 0) {
                // More of it.
            }
            return Arrays.copyOf(content.array(), content.position());
        } catch (FileSystemException e) {
            String reason = e.getReason();
            throw new IOException(path + " cannot be read: " + (reason == null ? "permission denied" : reason), e);
        }
    }

    /** Whether it is this process's user's, or root's, who may read everything. */
    private boolean isOwn() throws IOException {
        Object owner = Files.getAttribute(path, "unix:uid", LinkOption.NOFOLLOW_LINKS);
        return owner.equals(0) || owner.equals(Files.getAttribute(Path.of("/proc/self"), "unix:uid"));
    }

    private PskKeys parse(String content) throws IOException {
        Map<String, byte[]> keys = new HashMap<>();
        Map<String, Integer> lines = new HashMap<>();
        int number = 0;
        for (String line : content.split("\n", -1)) {
            number++;
            if (line.isBlank()) {
                continue;
            }
            int colon = line.indexOf(':');
            if (colon < 0) {
                throw wrong(number, "has no colon" + FORM);
            }
            String name = name(line.substring(0, colon), number);
            keys.put(name, key(line.substring(colon + 1).strip(), number));
            Integer before = lines.put(name, number);
            if (before != null) {
                throw wrong(number, "has the name of line " + before + "; a name has one key");
            }
        }
        if (keys.isEmpty()) {
            throw new IOException(path + " holds no key" + FORM);
        }
        return new PskKeys(keys);
    }

    private String name(String text, int number) throws IOException {
        String name = text;
        if (text.startsWith("#")) {
            byte[] bytes = bytes(text.substring(1));
            if (bytes.length == 0) {
                throw wrong(
                        number,
                        "begins with #, behind which a name stands in hexadecimal digits; there are no comments");
            }
            name = new String(bytes, StandardCharsets.ISO_8859_1);
        }
        if (name.isEmpty()) {
            throw wrong(number, "has no name before the colon" + FORM);
        }
        if (name.length() > PskKeys.LONGEST_NAME) {
            throw wrong(
                    number,
                    "has a name of " + name.length() + " bytes; it may have " + PskKeys.LONGEST_NAME + " at most");
        }
        if (name.indexOf('\0') >= 0) {
            throw wrong(number, "has a name with a zero byte, which no client can give");
        }
        return name;
    }

    private byte[] key(String digits, int number) throws IOException {
        byte[] key = bytes(digits);
        if (key.length == 0) {
            throw wrong(number, "has a key that is not an even number of hexadecimal digits" + FORM);
        }
        if (key.length < PskKeys.SHORTEST_KEY || key.length > PskKeys.LONGEST_KEY) {
            throw wrong(
                    number,
                    "has a key of " + key.length + " bytes; it must have " + PskKeys.SHORTEST_KEY + " to "
                            + PskKeys.LONGEST_KEY + ", and psktool makes 32");
        }
        return key;
    }

    /** None if these are no digits: the reason that the JDK gives would show them. */
    private static byte[] bytes(String digits) {
        try {
            return HexFormat.of().parseHex(digits);
        } catch (IllegalArgumentException e) {
            return new byte[0];
        }
    }

    private IOException wrong(int line, String what) {
        return new IOException(path + ": line " + line + " " + what);
    }
}
