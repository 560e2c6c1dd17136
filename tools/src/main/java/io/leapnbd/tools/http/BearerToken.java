package io.leapnbd.tools.http;

import io.leapnbd.nbd.tls.SecretFile;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.util.regex.Pattern;

/**
 * A secret that is sent with each request (RFC 6750). It comes from a file, as everybody on the machine sees command lines. Nothing
 * here shows it: not as text, and not in a message. Any thread.
 */
public final class BearerToken {

    private static final int SHORTEST = 16;
    private static final int LONGEST = 1024;
    private static final String SCHEME = "Bearer ";

    /** RFC 6750, section 2.1. */
    private static final Pattern FORM = Pattern.compile("[A-Za-z0-9\\-._~+/]+=*");

    private final byte[] secret;
    private final Path file;

    private BearerToken(byte[] secret, Path file) {
        this.secret = secret;
        this.file = file;
    }

    /**
     * Reads it. White space at the end of the file does not belong to it.
     *
     * @throws IOException in one sentence without the token, if the file is not there, not this user's own or root's, open to others, or
     *     holds no token
     */
    public static BearerToken read(Path file) throws IOException {
        byte[] content = SecretFile.read(
                file, LONGEST + 2, "make it: (umask 077; head -c 32 /dev/urandom | base64 > " + file + ")");
        String text = new String(content, StandardCharsets.ISO_8859_1).stripTrailing();
        if (text.length() < SHORTEST
                || text.length() > LONGEST
                || !FORM.matcher(text).matches()) {
            throw new IOException(file + " holds no token; that is one line of " + SHORTEST + " to " + LONGEST
                    + " letters, digits and -._~+/");
        }
        return new BearerToken(text.getBytes(StandardCharsets.US_ASCII), file);
    }

    /** The file that it came from. */
    Path file() {
        return file;
    }

    /** Whether a header {@code Authorization} has it. How long that takes says nothing of the token. */
    boolean isIn(String authorization) {
        return authorization.regionMatches(true, 0, SCHEME, 0, SCHEME.length())
                && MessageDigest.isEqual(
                        secret, authorization.substring(SCHEME.length()).strip().getBytes(StandardCharsets.UTF_8));
    }

    /** The value of a header {@code Authorization} that shows it. */
    String header() {
        return SCHEME + new String(secret, StandardCharsets.US_ASCII);
    }

    /** Where it came from, and not what it is. */
    @Override
    public String toString() {
        return "the token in " + file;
    }
}
