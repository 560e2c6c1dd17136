package io.leapnbd.tools.pool;

import io.leapnbd.donor.tls.LinkCredentials;
import io.leapnbd.donor.tls.LinkTls;
import io.leapnbd.donor.tls.Role;
import io.leapnbd.nbd.tls.Credentials;
import io.leapnbd.nbd.tls.RevokedFile;
import io.leapnbd.nbd.tls.TlsFolder;
import io.leapnbd.tools.config.Reload;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import org.jspecify.annotations.Nullable;

/**
 * A machine's folder of certificates, as {@code pool add} makes it and {@code --pool} takes it. It has the names that NBD over TLS has too, so
 * that {@code --tls-certificates} takes it as well.
 *
 * @param path of the folder
 */
public record PoolFolder(Path path) {

    /** Of the authority; only the pool's own folder has it. */
    static final String AUTHORITY_KEY = "ca-key.pem";

    static final String AUTHORITY = "ca-cert.pem";

    /** A certificate that ends sooner is complained of. */
    private static final Duration SOON = Duration.ofDays(30);

    /**
     * Reads what a donor shows. The caller closes it.
     *
     * @throws IOException in one sentence
     */
    public LinkTls donor() throws IOException {
        return open(Role.DONOR);
    }

    /**
     * Reads what a server shows. The caller closes it.
     *
     * @throws IOException in one sentence
     */
    public LinkTls server() throws IOException {
        return open(Role.SERVER);
    }

    private LinkTls open(Role role) throws IOException {
        try {
            if (Files.exists(path.resolve(AUTHORITY_KEY))) {
                throw new IOException(
                        path + " is the pool's own folder, with the key that signs; name the folder in it that"
                                + " 'leap-nbd pool add' made for this machine");
            }
            if (Files.isDirectory(path) && !Files.exists(path.resolve(role.label() + "-cert.pem"))) {
                throw new IOException(path + " has no " + role.label()
                        + "-cert.pem; name a folder that 'leap-nbd pool add'" + " made for a " + role.label());
            }
            LinkCredentials credentials = credentials(role);
            return role == Role.DONOR ? LinkTls.donor(credentials) : LinkTls.server(credentials);
        } catch (IOException e) {
            throw new IOException("--pool: " + e.getMessage(), e);
        }
    }

    private LinkCredentials credentials(Role role) throws IOException {
        TlsFolder folder = new TlsFolder(path);
        Credentials read = folder.credentials(role.label());
        return new LinkCredentials(read.key(), read.chain(), read.authorities(), RevokedFile.in(path)::refuses);
    }

    /**
     * Reads the files again, of a process that has read them before.
     *
     * @param tls what is in use
     * @throws IOException in one sentence; then nothing has changed
     */
    public Reload.Use reread(LinkTls tls) throws IOException {
        LinkTls.Reread read;
        try {
            read = tls.reread(credentials(tls.own().role()));
        } catch (IOException e) {
            throw new IOException("--pool: " + e.getMessage(), e);
        }
        return new Reload.Use() {
            @Override
            public String use() {
                int cut = read.use();
                return "certificates of --pool ("
                        + ShownCertificate.words(tls.own().name(), tls.ends()) + ")"
                        + (cut == 0 ? "" : " (" + cut + " links ended)");
            }

            @Override
            public void discard() {
                read.discard();
            }
        };
    }

    /** What is to be said of a certificate that ends soon; null of another. */
    public static @Nullable String endsSoon(@Nullable LinkTls tls) {
        if (tls == null) {
            return null;
        }
        Duration left = Duration.between(Instant.now(), tls.ends());
        if (left.compareTo(SOON) > 0) {
            return null;
        }
        return "the certificate of '" + tls.own().name() + "' "
                + (left.isNegative() ? "has ended" : "ends in " + left.toDays() + " days")
                + "; links that are open stay open, and no new one is accepted after that: make a new one with 'leap-nbd"
                + " pool add', and say 'leap-nbd reload'";
    }
}
