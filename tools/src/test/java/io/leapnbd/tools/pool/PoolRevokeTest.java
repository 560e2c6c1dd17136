package io.leapnbd.tools.pool;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.leapnbd.donor.tls.LinkTls;
import io.leapnbd.nbd.tls.RevokedFile;
import io.leapnbd.nbd.tls.TlsFolder;
import io.leapnbd.tools.cli.ExitCode;
import io.leapnbd.tools.cli.OneLineErrors;
import io.leapnbd.tools.linux.Machine;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.security.cert.CertificateException;
import java.security.cert.X509Certificate;
import java.util.ArrayList;
import java.util.Locale;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import picocli.CommandLine;

class PoolRevokeTest {

    @TempDir
    private Path folder;

    private String pool(String... words) {
        StringWriter said = new StringWriter();
        int code = new CommandLine(new PoolCommand())
                .setOut(new PrintWriter(said))
                .setErr(new PrintWriter(said))
                .execute(words);
        assertThat(code).as(said.toString()).isZero();
        return said.toString();
    }

    private X509Certificate certificate(String machine, String role) throws IOException {
        return new TlsFolder(folder.resolve("pool").resolve(machine))
                .credentials(role)
                .chain()
                .getFirst();
    }

    /** Of a machine all is refused, whatever its role and identity, and nothing of another one of the same identity. */
    @Test
    void whatAMachineHadIsRefusedAndWhatItGetsAfterwardsIsNot() throws Exception {
        String pool = folder.resolve("pool").toString();
        pool("create", pool);
        pool("add", pool, "h1", "10.0.0.1", "other", "--identity", "web");
        pool("add", pool, "h2", "--identity", "web");
        assertThat(RevokedFile.in(Path.of(pool)).refuses(certificate("h1", "server")))
                .isFalse();
        assertThat(pool("revoke", pool, "H1")).contains("h1 is taken out of the pool", "leap-nbd reload");
        RevokedFile list = RevokedFile.in(Path.of(pool));
        for (String role : new String[] {"donor", "server", "client"}) {
            assertThat(list.refuses(certificate("h1", role))).as(role).isTrue();
            assertThat(list.refuses(certificate("h2", role))).as(role).isFalse();
        }
        X509Certificate[] client = {certificate("h1", "client")};
        new TlsFolder(folder.resolve("pool/h2")).clients().checkClientTrusted(client, "UNKNOWN");
        Files.copy(folder.resolve("pool/revoked"), folder.resolve("pool/h2/revoked"));
        assertThatThrownBy(
                        () -> new TlsFolder(folder.resolve("pool/h2")).clients().checkClientTrusted(client, "UNKNOWN"))
                .isInstanceOf(CertificateException.class)
                .hasMessageContaining("taken out of the pool");

        Files.move(folder.resolve("pool/h1"), folder.resolve("old"));
        pool("add", pool, "h1");
        assertThat(list.refuses(certificate("h1", "server"))).isFalse();
        // Who is new knows who is out.
        assertThat(RevokedFile.in(folder.resolve("pool/h1"))).isEqualTo(list);
    }

    /** A slip of the finger takes nobody out. A folder is removed once it is copied, and its machine stays known. */
    @Test
    void aMachineThatWasNeverMadeIsRefusedUnlessThatIsMeant() throws IOException {
        String pool = folder.resolve("pool").toString();
        pool("create", pool, "h1", "h4");
        StringWriter said = new StringWriter();
        assertThat(new CommandLine(new PoolCommand())
                        .setErr(new PrintWriter(said))
                        .setParameterExceptionHandler(new OneLineErrors())
                        .execute("revoke", pool, "h7"))
                .isEqualTo(ExitCode.USAGE);
        assertThat(said.toString())
                .startsWith("pool revoke: " + pool + " has made no machine 'h7'")
                .contains("--force", "did you mean 'h")
                .hasLineCount(1);
        assertThat(folder.resolve("pool/revoked")).doesNotExist();
        assertThat(pool("revoke", pool, "h7", "--force")).contains("h7 is taken out");
        Files.move(folder.resolve("pool/h4"), folder.resolve("copied"));
        assertThat(pool("revoke", pool, "h4")).contains("h4 is taken out");
        // Once more, for certificates that were made since.
        assertThat(pool("revoke", pool, "h7")).contains("h7 is taken out");
    }

    /** Who has copied the list sees that it was read. */
    @Test
    void aReloadSaysHowManyMachinesAreOut() throws IOException {
        String pool = folder.resolve("pool").toString();
        pool("create", pool, "h1", "h2");
        PoolFolder h2 = new PoolFolder(folder.resolve("pool/h2"));
        try (LinkTls tls = h2.server()) {
            assertThat(h2.reread(tls, new ArrayList<>()).use()).endsWith("; no machines are revoked)");
            pool("revoke", pool, "h1");
            Files.copy(folder.resolve("pool/revoked"), folder.resolve("pool/h2/revoked"));
            assertThat(h2.reread(tls, new ArrayList<>()).use()).endsWith("; 1 machine is revoked)");
        }
    }

    /** A renewal that brings old files back is seen here, before other machines refuse them. */
    @Test
    void aMachineThatIsOutItselfIsTold() throws IOException {
        String pool = folder.resolve("pool").toString();
        pool("create", pool, "h1", "h2");
        pool("revoke", pool, "h1");
        for (String machine : new String[] {"h1", "h2"}) {
            Files.copy(
                    folder.resolve("pool/revoked"),
                    folder.resolve("pool").resolve(machine).resolve("revoked"));
        }
        PoolFolder h1 = new PoolFolder(folder.resolve("pool/h1"));
        try (LinkTls tls = h1.server()) {
            assertThat(h1.takenOut(tls)).contains("taken out of the pool", "pool add");
            assertThat(h1.line(tls).detail()).contains("taken out of the pool");
            assertThat(h1.reread(tls, new ArrayList<>()).use()).contains("1 machine is revoked; the certificate in ");
        }
        PoolFolder h2 = new PoolFolder(folder.resolve("pool/h2"));
        try (LinkTls tls = h2.server()) {
            assertThat(h2.takenOut(tls)).isNull();
            assertThat(h2.line(tls).detail()).endsWith("; 1 machine is revoked");
        }
    }

    @Test
    void aPoolThatIsNotThereIsNotOneToMake() {
        String nowhere = folder.resolve("nowhere").toString();
        StringWriter said = new StringWriter();
        new CommandLine(new PoolCommand())
                .setErr(new PrintWriter(said))
                .setExecutionExceptionHandler(new OneLineErrors())
                .execute("revoke", nowhere, "h1");
        assertThat(said.toString())
                .contains(nowhere + ": no such folder; name that of a pool")
                .hasLineCount(1);
    }

    /** An old folder that was moved away beside the others is no machine. */
    @Test
    void theCopyIsPrintedForEachMachineThatStays() throws IOException {
        String pool = folder.resolve("pool").toString();
        String here = Machine.hostName().toLowerCase(Locale.ROOT);
        pool("create", pool, "h1", "h4", here);
        Files.move(folder.resolve("pool/h4"), folder.resolve("pool/h4.old"));
        pool("add", pool, "h4");
        String list = pool + "/revoked";
        assertThat(pool("revoke", pool, "h1"))
                .contains(
                        "  scp -p " + list + " root@h4:/etc/leap-nbd/pool/ && ssh root@h4 leap-nbd reload\n",
                        "  cp -p " + list + " /etc/leap-nbd/pool/ && leap-nbd reload\n")
                .doesNotContain("root@h1", "h4.old", "MACHINE");
    }

    @ParameterizedTest
    @ValueSource(strings = {"h1", "h1 yesterday", "h1 2026-01-01T00:00:00Z more"})
    void aListThatIsDamagedIsRefusedByItsLine(String line) throws IOException {
        Files.writeString(folder.resolve("revoked"), "# a comment\n" + line + "\n");
        assertThatThrownBy(() -> RevokedFile.in(folder))
                .isInstanceOf(IOException.class)
                .hasMessageStartingWith(folder.resolve("revoked") + ", line 2: ");
    }

    @Test
    void aListThatOthersMayChangeIsRefused() throws IOException {
        Path list = Files.writeString(folder.resolve("revoked"), "");
        Files.setPosixFilePermissions(list, PosixFilePermissions.fromString("rw-rw-rw-"));
        assertThatThrownBy(() -> RevokedFile.in(folder)).hasMessageStartingWith("others may change " + list);
    }
}
