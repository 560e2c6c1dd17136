package io.leapnbd.tools.donor;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.leapnbd.donor.store.OwnerLimits;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class OwnersFileTest {

    @TempDir
    private Path folder;

    private Path file(String text) throws IOException {
        return Files.writeString(folder.resolve("owners"), text);
    }

    @Test
    void namesHaveSizesAndTheRestIsCommentsAndEmptyLines() throws IOException {
        Path file = file("""
                # who may hold how much

                anonymous@10.0.0.3\t16G   # the large one
                  a name with blanks  512M
                CN=db#1 1G
                nobody 0
                """);
        assertThat(OwnersFile.read(file, 8L << 30))
                .isEqualTo(new OwnerLimits(
                        8L << 30,
                        Map.of(
                                "anonymous@10.0.0.3", 16L << 30,
                                "a name with blanks", 512L << 20,
                                "CN=db#1", 1L << 30,
                                "nobody", 0L)));
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "a 1G/b | line 2: it has no size; write it like 'NAME 8G'",
                "#/a 1X | line 2: its last word is no size; write it like 'NAME 8G'",
                "a 1G/b 1G/a 2G | line 3: it names the owner of line 1 again; leave one of the lines out",
                "a = 1G | line 1: there is no '=' between name and size; write it like 'NAME 8G'",
                "a -1G | line 1: its last word is no size"
            })
    void aWrongLineIsNamedByItsNumber(String lines, String why) throws IOException {
        Path file = file(lines.replace('/', '\n'));
        assertThatThrownBy(() -> OwnersFile.read(file, OwnerLimits.UNLIMITED))
                .isInstanceOf(IOException.class)
                .hasMessageStartingWith(file + ", ")
                .hasMessageContaining(why);
    }

    /** Somebody may have named the wrong file: the log and the answer to a reload are for more eyes than that. */
    @ParameterizedTest
    @ValueSource(strings = {"hunter2", "hunter2 hunter2", "root:hunter2:1:2 x", "hunter2 1G\nhunter2 1G"})
    void nothingOfAFileThatIsNoneIsShown(String secret) throws IOException {
        Path file = file(secret + "\n");
        assertThatThrownBy(() -> OwnersFile.read(file, OwnerLimits.UNLIMITED))
                .isInstanceOf(IOException.class)
                .message()
                .doesNotContain("hunter2");
    }

    @Test
    void aFileThatOthersMayChangeOrReplaceIsRefused() throws IOException {
        Path file = file("a 1G\n");
        Files.setPosixFilePermissions(file, PosixFilePermissions.fromString("rw-rw-rw-"));
        assertThatThrownBy(() -> OwnersFile.read(file, 0)).hasMessageStartingWith("others may change " + file);
        Files.setPosixFilePermissions(file, PosixFilePermissions.fromString("rw-r--r--"));
        Files.setPosixFilePermissions(folder, PosixFilePermissions.fromString("rwxrwxrwx"));
        assertThatThrownBy(() -> OwnersFile.read(file, 0)).hasMessageStartingWith("others may write to the folder ");
        Files.setPosixFilePermissions(folder, PosixFilePermissions.fromString("rwxr-xr-x"));
        assertThat(OwnersFile.read(file, 0).named()).hasSize(1);
    }

    @Test
    void whatIsNoTextIsRefused() throws IOException {
        Path file = folder.resolve("owners");
        Files.write(file, "caf\u00e9 1G".getBytes(StandardCharsets.ISO_8859_1));
        assertThatThrownBy(() -> OwnersFile.read(file, 0)).hasMessage(file + " is not text in UTF-8");
    }

    /** It would keep who reads it: a start, or a reload with all that come behind it. */
    @Test
    @Timeout(value = 60, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
    void aPipeIsRefusedAndNotWaitedFor() throws Exception {
        Path pipe = folder.resolve("pipe");
        assertThat(new ProcessBuilder("mkfifo", "-m", "600", pipe.toString())
                        .start()
                        .waitFor())
                .isZero();
        assertThatThrownBy(() -> OwnersFile.read(pipe, OwnerLimits.UNLIMITED))
                .isInstanceOf(IOException.class)
                .hasMessage(pipe + " is not a plain file; put one in its place");
    }
}
