package io.leapnbd.tools.pool;

import static org.assertj.core.api.Assertions.assertThat;

import io.leapnbd.donor.tls.LinkTls;
import io.leapnbd.tools.cli.ExitCode;
import io.leapnbd.tools.linux.Machine;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.Locale;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import picocli.CommandLine;

/** One command makes a pool with its machines, and says what is next. */
class PoolCreateTest {

    private final StringWriter out = new StringWriter();
    private final StringWriter err = new StringWriter();

    @TempDir
    private Path parent;

    private int pool(String... args) {
        return new CommandLine(new PoolCommand())
                .setOut(new PrintWriter(out, true))
                .setErr(new PrintWriter(err, true))
                .execute(args);
    }

    @Test
    void aPoolHasAFolderForEachMachineThatIsNamed() throws Exception {
        Path folder = parent.resolve("pool");
        assertThat(pool("create", folder.toString(), "h2", "H3", "h2")).isEqualTo(ExitCode.OK);
        for (String host : new String[] {"h2", "h3"}) {
            try (LinkTls donor = new PoolFolder(folder.resolve(host)).donor();
                    LinkTls server = new PoolFolder(folder.resolve(host)).server()) {
                assertThat(donor.own().name()).isEqualTo(host);
                assertThat(server.own().name()).isEqualTo(host);
            }
            assertThat(out.toString())
                    .contains("scp -p " + folder.resolve(host) + "/* root@" + host + ":/etc/leap-nbd/pool/");
        }
        assertThat(out.toString()).contains("--pool /etc/leap-nbd/pool", "remove them here");
    }

    @Test
    void aFolderForThisMachineIsCopiedWithoutANetwork() {
        String here = Machine.hostName().toLowerCase(Locale.ROOT);
        Path folder = parent.resolve("pool");
        assertThat(pool("create", folder.toString(), here)).isEqualTo(ExitCode.OK);
        assertThat(out.toString()).contains("cp -p " + folder.resolve(here) + "/* /etc/leap-nbd/pool/");
        assertThat(out.toString()).doesNotContain("scp");
    }

    /** The command that is printed, with another folder in place of /etc/leap-nbd. */
    @Test
    void theSameCopyBringsNewCertificatesInThePlaceOfOldOnes() throws Exception {
        String here = Machine.hostName().toLowerCase(Locale.ROOT);
        Path folder = parent.resolve("a pool");
        assertThat(pool("create", folder.toString(), here)).isEqualTo(ExitCode.OK);
        copyAsPrinted();
        Files.move(folder.resolve(here), parent.resolve("old"));
        out.getBuffer().setLength(0);
        assertThat(pool("add", folder.toString(), here)).isEqualTo(ExitCode.OK);
        copyAsPrinted();
        Path there = parent.resolve("etc/pool");
        assertThat(Files.readString(there.resolve("donor-cert.pem")))
                .isEqualTo(Files.readString(folder.resolve(here).resolve("donor-cert.pem")));
        assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(there)))
                .isEqualTo("rwx------");
    }

    private void copyAsPrinted() throws Exception {
        String line = out.toString()
                .lines()
                .filter(one -> one.startsWith("  mkdir"))
                .findFirst()
                .orElseThrow();
        String command = line.replace("/etc/leap-nbd", parent.resolve("etc").toString());
        assertThat(new ProcessBuilder("sh", "-c", command).inheritIO().start().waitFor())
                .as(command)
                .isZero();
    }

    /** A folder in the place of the list of revoked machines would end every later command. */
    @ParameterizedTest
    @ValueSource(strings = {"revoked", "machines.txt", "ca-key.pem", "CA-cert.pem"})
    void noMachineHasTheNameOfAFileOfThePool(String name) {
        Path folder = parent.resolve("pool");
        assertThat(pool("create", folder.toString(), name)).isEqualTo(ExitCode.USAGE);
        assertThat(folder).doesNotExist();
        assertThat(pool("create", folder.toString(), "h1")).isEqualTo(ExitCode.OK);
        err.getBuffer().setLength(0);
        assertThat(pool("add", folder.toString(), name)).isEqualTo(ExitCode.USAGE);
        assertThat(err.toString()).contains("'" + name + "' is the name of a file in the pool's folder");
        assertThat(pool("add", folder.toString(), name + ".example")).isEqualTo(ExitCode.OK);
        assertThat(pool("revoke", folder.toString(), "h1")).isEqualTo(ExitCode.OK);
    }

    @Test
    void aMachineThatHasNoNameIsRefusedBeforeAnythingIsMade() {
        Path folder = parent.resolve("pool");
        assertThat(pool("create", folder.toString(), "h2", "10.0.0.3")).isEqualTo(ExitCode.USAGE);
        assertThat(err.toString())
                .contains("'10.0.0.3' is no host name; name machines here, and their addresses by 'pool add");
        assertThat(Files.exists(folder)).isFalse();
    }

    /** Whoever leaves FOLDER out sees that, and the commands that are printed are good anywhere. */
    @Test
    void whatIsPrintedNamesTheWholePathOfAFolder() {
        Path folder = Path.of("").toAbsolutePath().relativize(parent.resolve("h2"));
        assertThat(pool("create", folder.toString(), "h4")).isEqualTo(ExitCode.OK);
        assertThat(out.toString())
                .contains("in " + parent.resolve("h2") + ",", "scp -p " + parent.resolve("h2/h4") + "/*")
                .doesNotContain("..");
        out.getBuffer().setLength(0);
        assertThat(pool("add", folder.toString(), "h5", "10.0.0.5", "h5.example", "4x.example"))
                .isEqualTo(ExitCode.OK);
        assertThat(out.toString()).contains("scp -p " + parent.resolve("h2/h5") + "/*");
    }

    /** A certificate would name a host that cannot be, and clients would refuse the address that was meant. */
    @ParameterizedTest
    @ValueSource(strings = {"10.0.0.999", "10.0.0", "10.0.0.4.5", "42", "10.0.0.0/24"})
    void anAddressWithSomethingWrongInItIsNoName(String address) {
        Path folder = parent.resolve("pool");
        assertThat(pool("create", folder.toString())).isEqualTo(ExitCode.OK);
        assertThat(pool("add", folder.toString(), "h4", address)).isEqualTo(ExitCode.USAGE);
        assertThat(err.toString()).contains("'" + address + "' is neither a host name nor an address");
        assertThat(folder.resolve("h4")).doesNotExist();
    }

    @Test
    void withoutMachinesTheNextCommandIsSaid() {
        Path folder = parent.resolve("pool");
        assertThat(pool("create", folder.toString())).isEqualTo(ExitCode.OK);
        assertThat(out.toString()).contains("leap-nbd pool add " + folder + " MACHINE");
    }
}
