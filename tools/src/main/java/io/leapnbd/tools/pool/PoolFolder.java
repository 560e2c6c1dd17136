package io.leapnbd.tools.pool;

import io.leapnbd.donor.tls.LinkCredentials;
import io.leapnbd.donor.tls.LinkProtection;
import io.leapnbd.donor.tls.LinkTls;
import io.leapnbd.donor.tls.Role;
import io.leapnbd.nbd.tls.CertificateNames;
import io.leapnbd.nbd.tls.Credentials;
import io.leapnbd.nbd.tls.RevokedFile;
import io.leapnbd.nbd.tls.TlsFolder;
import io.leapnbd.tools.config.Reload;
import io.leapnbd.tools.http.SecurityLine;
import io.leapnbd.tools.http.ShownCertificate;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/**
 * A machine's folder of certificates, as {@code pool add} makes it and {@code --pool} takes it. It has the names that NBD over TLS has too, so
 * that {@code --tls-certificates} takes it as well.
 *
 * @param path of the folder
 * @param protection of links: what a server asks for, or the least that a donor takes
 */
public record PoolFolder(Path path, LinkProtection protection) {

    /** Of the authority; only the pool's own folder has it. */
    static final String AUTHORITY_KEY = "ca-key.pem";

    static final String AUTHORITY = "ca-cert.pem";

    /** What {@link #line} is about. */
    private static final String LINE = "pool";

    /** A certificate that ends sooner is complained of. */
    private static final Duration SOON = Duration.ofDays(30);

    /** For links in TLS. */
    public PoolFolder(Path path) {
        this(path, LinkProtection.TLS);
    }

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
            if (Files.isDirectory(path) && Files.notExists(path.resolve(role.label() + "-cert.pem"))) {
                throw new IOException(path + " has no " + role.label()
                        + "-cert.pem; name a folder that 'leap-nbd pool add'" + " made for a " + role.label());
            }
            LinkCredentials credentials = credentials(role);
            return role == Role.DONOR
                    ? LinkTls.donor(credentials, protection)
                    : LinkTls.server(credentials, protection);
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
     * Who this machine is in the pool, until when, and how many machines are out of it: what {@code status} and {@code doctor} say.
     *
     * @param tls what is in use
     */
    public SecurityLine line(LinkTls tls) {
        return new SecurityLine(
                LINE,
                true,
                "this machine is " + tls.own().role().label() + " '" + tls.own().name() + "' of pool '"
                        + tls.own().pool() + "' until "
                        + ShownCertificate.day(tls.ends()) + "; " + revoked(tls));
    }

    /** What is to be said of a certificate that the list beside it has: the others refuse it too. Null of another. */
    @Nullable
    String takenOut(LinkTls tls) {
        try {
            return RevokedFile.in(path).refuses(tls.certificate())
                    ? "the certificate in " + path
                            + " is of a machine that was taken out of the pool, as its file 'revoked'"
                            + " says, so others refuse it; make a new one with 'leap-nbd pool add'"
                    : null;
        } catch (IOException e) {
            // Whoever reads the list to use it complains of it.
            return null;
        }
    }

    /** How many machines are out of the pool, by the list that is here now, and whether this one is. */
    private String revoked(LinkTls tls) {
        try {
            int count = RevokedFile.in(path).before().size();
            String out = takenOut(tls);
            return (count == 1 ? "1 machine is revoked" : (count == 0 ? "no" : count) + " machines are revoked")
                    + (out == null ? "" : "; " + out);
        } catch (IOException e) {
            return String.valueOf(e.getMessage());
        }
    }

    /**
     * Reads the files again, of a process that has read them before.
     *
     * @param tls what is in use
     * @param lines in which {@link #line} is exchanged, if it is among them
     * @throws IOException in one sentence; then nothing has changed
     */
    public Reload.Use reread(LinkTls tls, List<SecurityLine> lines) throws IOException {
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
                lines.replaceAll(line -> line.part().equals(LINE) ? line(tls) : line);
                return "certificates of --pool ("
                        + ShownCertificate.words(tls.own().name(), tls.ends()) + "; " + revoked(tls) + ")"
                        + (cut == 0 ? "" : " (" + cut + " links ended)");
            }

            @Override
            public void discard() {
                read.discard();
            }
        };
    }

    /**
     * What there is to complain of at a start: a folder that was made for another machine, or a certificate that others refuse.
     *
     * @param machine host name of this machine, short or full
     * @return sentences; none if all is well
     */
    public List<String> complaints(LinkTls tls, String machine) {
        return Stream.of(madeForAnother(tls, machine), takenOut(tls))
                .flatMap(Stream::ofNullable)
                .toList();
    }

    /**
     * What is to be said of a folder that was made for another machine, by this one's name: whoever has it is that other one to donors. Null of the right one.
     *
     * @param machine host name of this machine, short or full
     */
    @Nullable
    String madeForAnother(LinkTls tls, String machine) {
        CertificateNames names = CertificateNames.of(tls.certificate());
        if (names.isMachine(machine)) {
            return null;
        }
        String also = tls.own().role() == Role.SERVER
                ? "; its exports belong to '" + tls.own().name() + "'"
                : "; servers know it as '" + tls.own().name() + "'";
        return "the certificate in " + path + " is for " + names + ", and this machine is " + machine + also
                + ". If the folder is another machine's, copy the one that 'leap-nbd pool add' made for this one";
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
