package io.leapnbd.tools.linux;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Kin of F11: what a server writes by itself, in a folder where others may put something first. */
class PlainFileTest {

    @TempDir
    private Path folder;

    private static void write(FileChannel to, String text) throws IOException {
        try (to) {
            assertThat(to.write(ByteBuffer.wrap(text.getBytes(java.nio.charset.StandardCharsets.US_ASCII))))
                    .isPositive();
        }
    }

    @Test
    void anOwnFileIsReplaced() throws IOException {
        Path file = Files.writeString(folder.resolve("log"), "a long line of an earlier run");
        write(PlainFile.replace(file), "new");
        assertThat(file).hasContent("new");
        write(PlainFile.replace(folder.resolve("fresh")), "new");
        assertThat(folder.resolve("fresh")).hasContent("new");
    }

    @Test
    void aLinkIsNotFollowedWhetherItLeadsSomewhereOrNot() throws IOException {
        Path victim = Files.writeString(folder.resolve("victim"), "precious");
        for (Path target : new Path[] {victim, folder.resolve("nowhere")}) {
            Path link = Files.createSymbolicLink(folder.resolve("link to " + target.getFileName()), target);
            assertThatThrownBy(() -> PlainFile.replace(link))
                    .hasMessage("it is a symbolic link; name the file that it leads to");
            assertThatThrownBy(() -> PlainFile.create(link)).isInstanceOf(FileAlreadyExistsException.class);
        }
        assertThat(victim).hasContent("precious");
        assertThat(folder.resolve("nowhere")).doesNotExist();
    }

    @Test
    void whatIsNoPlainFileIsRefusedAndNotWaitedFor() throws Exception {
        Path fifo = folder.resolve("fifo");
        assertThat(new ProcessBuilder("mkfifo", fifo.toString()).start().waitFor())
                .isZero();
        assertThatThrownBy(() -> PlainFile.replace(fifo)).hasMessageContaining("no plain file");
        assertThatThrownBy(() -> PlainFile.replace(folder)).hasMessageContaining("no plain file");
    }

    @Test
    void anotherUsersFileIsLeftAlone() throws Exception {
        assumeTrue(
                "root".equals(System.getProperty("user.name")), "this is not root, and only root can give a file away");
        Path file = Files.writeString(folder.resolve("theirs"), "bait");
        Files.setAttribute(file, "unix:uid", 65534);
        assertThatThrownBy(() -> PlainFile.replace(file)).hasMessageContaining("it is another user's");
        assertThat(file).hasContent("bait");
    }

    @Test
    void aFreshFileIsItsUsersAlone() throws IOException {
        Path file = folder.resolve("trace");
        write(PlainFile.create(file), "1 R 0 1");
        assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(file)))
                .isEqualTo("rw-------");
    }
}
