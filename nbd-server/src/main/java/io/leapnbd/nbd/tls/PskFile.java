package io.leapnbd.nbd.tls;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.HashMap;
import java.util.HexFormat;
import java.util.Map;

/**
 * A file of shared keys, as GnuTLS's {@code psktool} writes it and nbdkit, qemu and libnbd read it: on each line a name, a colon and a key in
 * hexadecimal digits. A name that begins with {@code #} is in hexadecimal digits too. Blank lines are skipped; there are no comments.
 *
 * @param path of the file
 */
public record PskFile(Path path) {

    private static final int MOST_BYTES = 1 << 20;

    private static final String FORM = "each line is NAME:HEXKEY, as 'psktool -u NAME -p FILE' writes it";

    /**
     * Reads it now. What is wrong with a line is said with its number, and without what is in it.
     *
     * @throws IOException in one sentence, if there is no such file, others may read it, or a line is wrong
     */
    public PskKeys read() throws IOException {
        byte[] content = SecretFile.read(path, MOST_BYTES, FORM);
        try {
            return parse(new String(content, StandardCharsets.ISO_8859_1));
        } finally {
            Arrays.fill(content, (byte) 0);
        }
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
                throw wrong(number, "has no colon; " + FORM);
            }
            String name = name(line.substring(0, colon), number);
            keys.put(name, key(line.substring(colon + 1).strip(), number));
            Integer before = lines.put(name, number);
            if (before != null) {
                throw wrong(number, "has the name of line " + before + "; a name has one key");
            }
        }
        if (keys.isEmpty()) {
            throw new IOException(path + " holds no key; " + FORM);
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
            throw wrong(number, "has no name before the colon; " + FORM);
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
            throw wrong(number, "has a key that is not an even number of hexadecimal digits; " + FORM);
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
