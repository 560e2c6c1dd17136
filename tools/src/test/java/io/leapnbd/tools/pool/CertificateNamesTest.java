package io.leapnbd.tools.pool;

import static org.assertj.core.api.Assertions.assertThat;

import io.leapnbd.donor.tls.LinkTls;
import io.leapnbd.nbd.tls.CertificateNames;
import io.leapnbd.nbd.tls.TlsFolder;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Path;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import picocli.CommandLine;

/** Whose a folder is, and where it may be listened with it. */
class CertificateNamesTest {

    @TempDir
    private static Path folder;

    @BeforeAll
    static void makePool() {
        String pool = folder.resolve("pool").toString();
        pool("create", pool);
        pool("add", pool, "h4", "h4.example.org", "10.0.0.4", "fd00::4", "--identity", "web");
    }

    private static void pool(String... words) {
        StringWriter said = new StringWriter();
        int code = new CommandLine(new PoolCommand())
                .setOut(new PrintWriter(said))
                .setErr(new PrintWriter(said))
                .execute(words);
        assertThat(code).as(said.toString()).isZero();
    }

    private static PoolFolder h4() {
        return new PoolFolder(folder.resolve("pool/h4"));
    }

    @ParameterizedTest
    @ValueSource(strings = {"h4", "H4", "h4.example.org", "h4.elsewhere.net"})
    void aMachineOfThatNameIsTheRightOne(String machine) throws Exception {
        try (LinkTls server = h4().server()) {
            assertThat(h4().madeForAnother(server, machine)).isNull();
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"h3", "h44", "h", "web", "h3.example.org"})
    void anotherMachineIsToldWhoseFolderItHas(String machine) throws Exception {
        try (LinkTls server = h4().server();
                LinkTls donor = h4().donor()) {
            assertThat(h4().madeForAnother(server, machine))
                    .startsWith("the certificate in " + folder.resolve("pool/h4")
                            + " is for h4, h4.example.org, 10.0.0.4, ")
                    .contains("and this machine is " + machine + "; its exports belong to 'web'");
            assertThat(h4().madeForAnother(donor, machine)).contains("servers know it as 'h4'");
        }
    }

    private static String objection(String host) throws Exception {
        String said = CertificateNames.of(
                        new TlsFolder(h4().path()).credentials("server").chain().getFirst())
                .objection(host);
        return said == null ? "none" : said;
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "h4",
                "H4.example.org",
                "10.0.0.4",
                "fd00::4",
                "fd00:0:0::4",
                "0.0.0.0",
                "::",
                "127.0.0.2",
                "::1",
                "localhost"
            })
    void whatTheCertificateNamesAndWhatIsEveryAddressIsRight(String host) throws Exception {
        assertThat(objection(host)).isEqualTo("none");
    }

    @ParameterizedTest
    @ValueSource(strings = {"10.0.0.5", "fd00::5", "h5"})
    void whatTheCertificateDoesNotNameIsTold(String host) throws Exception {
        assertThat(objection(host))
                .startsWith("the certificate is for h4, h4.example.org, ")
                .contains("not for " + host);
    }
}
