package io.leapnbd.tools.registry;

import io.leapnbd.nbd.tls.SecretFile;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import javax.net.ssl.SSLContext;
import org.jspecify.annotations.Nullable;

/**
 * How one makes oneself known to a registry. It shows no password as text.
 *
 * @param login who one is there; null for nobody
 * @param tls what TLS is spoken with; null for none
 */
public record RegistryAccess(
        @Nullable Login login, @Nullable SSLContext tls) {

    /** For a registry that asks for nothing. */
    public static final RegistryAccess OPEN = new RegistryAccess(null, null);

    /**
     * A user and his password.
     *
     * @param user his name
     * @param password his
     */
    public record Login(String user, String password) {

        private static final int MOST = 1024;
        private static final String FORM =
                "it has to hold a user's name in its first line, and his password in the second";

        /**
         * Reads them.
         *
         * @throws IOException in one sentence without the password, if the file is not there, open to others, or holds something else
         */
        public static Login read(Path file) throws IOException {
            byte[] content = SecretFile.read(file, MOST, FORM);
            List<String> lines =
                    new String(content, StandardCharsets.UTF_8).lines().toList();
            Arrays.fill(content, (byte) 0);
            if (lines.size() != 2
                    || lines.getFirst().isBlank()
                    || lines.getLast().isEmpty()) {
                throw new IOException(file + " names no user; " + FORM);
            }
            return new Login(lines.getFirst().strip(), lines.getLast());
        }

        /** Without the password. */
        @Override
        public String toString() {
            return user;
        }
    }
}
