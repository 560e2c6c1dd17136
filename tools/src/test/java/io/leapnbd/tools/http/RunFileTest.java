package io.leapnbd.tools.http;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.leapnbd.tools.cli.HostPort;
import io.leapnbd.tools.linux.StartTime;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Instant;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class RunFileTest {

    private static final String URI = "nbd+unix:///leap?socket=/run/leap nbd/é.sock";

    @TempDir
    private Path parent;

    @Test
    void whatOneProcessWritesAnotherReads() throws Exception {
        Path folder = parent.resolve("run");
        RunFile own = new RunFile(ProcessHandle.current().pid(), "serve", new HostPort("::1", 9480), URI);
        Path file = own.write(folder);
        assertThat(RunFile.readAll(folder)).containsExactly(own);
        RunFile.remove(file);
        assertThat(RunFile.readAll(folder)).isEmpty();
    }

    @Test
    void theFolderOfAUserIsNobodyElses() throws Exception {
        Path folder = parent.resolve("run");
        new RunFile(1, "donor", null, URI).write(folder);
        assertThat(Files.getPosixFilePermissions(folder)).hasSize(3);
    }

    @Test
    void filesOfDeadProcessesAndBrokenOnesAreTidiedAway() throws Exception {
        Path folder = parent.resolve("run");
        new RunFile(Integer.MAX_VALUE, "serve", null, URI).write(folder);
        Files.writeString(folder.resolve("frob.run"), "role=serve");
        Files.writeString(folder.resolve("leap.state"), "not ours");
        assertThat(RunFile.readAll(folder)).isEmpty();
        assertThat(folder.resolve("leap.state")).exists();
        try (var left = Files.list(folder)) {
            assertThat(left).hasSize(1);
        }
    }

    /** A server was killed, and somebody who would like to stand in for it has waited for its number. */
    @Test
    void aProcessThatBeganAtAnotherTimeIsAnotherOne() throws Exception {
        Path folder = parent.resolve("run");
        Path file = new RunFile(ProcessHandle.current().pid(), "serve", null, URI).write(folder);
        String started =
                StartTime.of(ProcessHandle.current().pid()).orElseThrow().toString();
        String text = Files.readString(file);
        Files.writeString(file, text.replace("started=" + started, "started=" + started + "1"));
        assertThat(RunFile.readAll(folder)).isEmpty();
        assertThat(file).doesNotExist();
    }

    /** Its file is of a version that did not write down when its process began. */
    @Test
    void aFileThatIsOlderThanTheProcessOfItsNumberIsADeadOnes() throws Exception {
        Path folder = parent.resolve("run");
        Path file = new RunFile(ProcessHandle.current().pid(), "serve", null, URI).write(folder);
        Instant began = ProcessHandle.current().info().startInstant().orElseThrow();
        Files.writeString(file, "role=serve");
        Files.setLastModifiedTime(file, FileTime.from(began.minusSeconds(60)));
        assertThat(RunFile.readAll(folder)).isEmpty();
        assertThat(file).doesNotExist();
    }

    @Test
    void aFolderThatIsNotThereHoldsNothing() {
        assertThat(RunFile.readAll(parent.resolve("nowhere"))).isEmpty();
    }

    @Test
    void aFileIsItsUsersOwnAndTakesThePlaceOfALink() throws Exception { // F11
        Path folder = parent.resolve("run");
        Path victim = Files.writeString(parent.resolve("victim"), "precious");
        RunFile own = new RunFile(ProcessHandle.current().pid(), "serve", null, URI);
        Path file = own.write(folder);
        Files.delete(file);
        Files.createSymbolicLink(file, victim);
        Files.createSymbolicLink(folder.resolve("." + own.pid() + ".part"), victim);
        own.write(folder);
        assertThat(victim).hasContent("precious");
        assertThat(file).isRegularFile();
        assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(file)))
                .isEqualTo("rw-------");
        assertThat(RunFile.readAll(folder)).containsExactly(own);
    }

    @Test
    void aLinkToAFileIsNotBelieved() throws Exception { // F11
        Path folder = parent.resolve("run");
        RunFile own = new RunFile(ProcessHandle.current().pid(), "serve", null, URI);
        Path elsewhere = Files.move(own.write(folder), parent.resolve("elsewhere"));
        Files.createSymbolicLink(folder.resolve(own.pid() + ".run"), elsewhere);
        assertThat(RunFile.readAll(folder)).isEmpty();
    }

    @Test
    void aFolderThatAnybodyMayWriteToIsNeitherUsedNorBelieved() throws Exception { // B7, E8
        Path folder = parent.resolve("run");
        RunFile own = new RunFile(ProcessHandle.current().pid(), "serve", null, URI);
        own.write(folder);
        Files.setPosixFilePermissions(folder, PosixFilePermissions.fromString("rwxrwxrwx"));
        assertThatThrownBy(() -> own.write(folder)).hasMessageContaining("anybody may write to the folder " + folder);
        assertThat(RunFile.readAll(folder)).isEmpty();
    }

    @Test
    void aFolderThatItsGroupMayWriteToIsNeitherUsedNorBelieved() throws Exception {
        Path folder = parent.resolve("run");
        RunFile own = new RunFile(ProcessHandle.current().pid(), "serve", null, URI);
        own.write(folder);
        Files.setPosixFilePermissions(folder, PosixFilePermissions.fromString("rwxrwxr-x"));
        assertThatThrownBy(() -> own.write(folder))
                .hasMessage("the group of the folder " + folder
                        + " may write to it; name another, or take that right away: chmod g-w " + folder);
        assertThat(RunFile.readAll(folder)).isEmpty();
    }

    @Test
    void aFolderThatOthersMayReplaceIsNeitherUsedNorBelieved() throws Exception {
        Path above = Files.createDirectory(parent.resolve("above"));
        Path folder = above.resolve("run");
        RunFile own = new RunFile(ProcessHandle.current().pid(), "serve", null, URI);
        own.write(folder);
        Files.setPosixFilePermissions(above, PosixFilePermissions.fromString("rwxrwxrwx"));
        assertThatThrownBy(() -> own.write(folder)).hasMessageContaining("others may write to the folder " + above);
        assertThat(RunFile.readAll(folder)).isEmpty();
        // As /tmp has it: there, nobody moves what is another's.
        assertThat(new ProcessBuilder("chmod", "1777", above.toString()).start().waitFor())
                .isZero();
        assertThat(RunFile.readAll(folder)).containsExactly(own);
    }

    @Test
    void whatAnEndpointAsksForIsFoundAndTheTokenIsNotInTheFile() throws Exception {
        Path folder = parent.resolve("run");
        RunFile own = new RunFile(
                ProcessHandle.current().pid(),
                "serve",
                new HostPort("127.0.0.1", 9480),
                URI,
                Path.of("/etc/token"),
                Path.of("/etc/pki"),
                Path.of("/etc/leap-nbd/leap-nbd.toml"),
                "swap",
                "00ff");
        own.write(folder);
        assertThat(RunFile.readAll(folder)).containsExactly(own);
    }

    @Test
    void aFolderThatSomebodyElseMadeIsNeitherUsedNorBelieved() throws Exception { // B7, E8
        assumeTrue(
                "root".equals(System.getProperty("user.name")),
                "this is not root, and only root can give a folder away");
        Path folder = parent.resolve("run");
        RunFile own = new RunFile(ProcessHandle.current().pid(), "serve", null, URI);
        own.write(folder);
        Files.setAttribute(folder, "unix:uid", 65534);
        assertThatThrownBy(() -> own.write(folder)).hasMessageContaining("the folder " + folder + " belongs to ");
        assertThat(RunFile.readAll(folder)).isEmpty();
    }
}
