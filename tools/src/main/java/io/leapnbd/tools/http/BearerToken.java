package io.leapnbd.tools.http;

import io.leapnbd.tools.linux.PrivateFolder;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermission;
import java.security.MessageDigest;
import java.util.EnumSet;
import java.util.Set;
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

    private static final Set<PosixFilePermission> OTHERS = EnumSet.of(
            PosixFilePermission.GROUP_READ,
            PosixFilePermission.GROUP_WRITE,
            PosixFilePermission.GROUP_EXECUTE,
            PosixFilePermission.OTHERS_READ,
            PosixFilePermission.OTHERS_WRITE,
            PosixFilePermission.OTHERS_EXECUTE);

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
        if (Files.isSymbolicLink(file)) {
            throw new IOException(file + " is a symbolic link; name the file that it leads to");
        }
        byte[] content;
        try {
            if (!Files.isRegularFile(file, LinkOption.NOFOLLOW_LINKS) && Files.exists(file)) {
                throw new IOException(file + " is no plain file; a token is in one line of a file of mode 0600");
            }
            if (!PrivateFolder.isOwn(file)) {
                throw new IOException(file + " is another user's, who knows what is in it; make one of your own");
            }
            Set<PosixFilePermission> open = EnumSet.copyOf(OTHERS);
            open.retainAll(Files.getPosixFilePermissions(file, LinkOption.NOFOLLOW_LINKS));
            if (!open.isEmpty()) {
                throw new IOException("others may read or change " + file + "; give it mode 0600, and a new token");
            }
            try (InputStream in = Files.newInputStream(file, LinkOption.NOFOLLOW_LINKS)) {
                content = in.readNBytes(LONGEST + 2);
            }
        } catch (NoSuchFileException e) {
            throw new IOException(
                    file + " does not exist; make it: (umask 077; head -c 32 /dev/urandom | base64 > " + file + ")", e);
        }
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
