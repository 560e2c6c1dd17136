package io.leapnbd.nbd.server;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.leapnbd.nbd.testing.TestCertificates;
import io.leapnbd.nbd.tls.PskFile;
import io.leapnbd.nbd.tls.PskKeys;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** What a file of shared keys may look like, and that nothing of a wrong one is shown. */
class PskFileTest {

    private static final String KEY = "00112233445566778899aabbccddeeff";

    @TempDir
    private Path folder;

    private PskKeys read(String content) throws IOException {
        return new PskFile(write(content)).read();
    }

    private Path write(String content) {
        Path file = folder.resolve("keys.psk");
        TestCertificates.writeKey(file, content);
        return file;
    }

    @Test
    void a_file_of_psktool_holds_a_key_on_each_line() throws IOException {
        assertThat(read("alice:" + KEY + "\nbob:" + KEY.repeat(4).toUpperCase(java.util.Locale.ROOT) + "\n")
                        .count())
                .isEqualTo(2);
    }

    @Test
    void blank_lines_lines_of_other_systems_and_no_line_end_are_all_right() throws IOException {
        assertThat(read("\r\n\n  \nalice:" + KEY + "\r\n\nbob : " + KEY).count())
                .isEqualTo(2);
    }

    @Test
    void a_name_may_be_in_hexadecimal_digits() throws IOException {
        assertThat(read("#616c696365:" + KEY).count()).isEqualTo(1);
        assertThatThrownBy(() -> read("alice:" + KEY + "\n#616c696365:" + KEY))
                .hasMessageEndingWith("line 2 has the name of line 1; a name has one key");
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            quoteCharacter = '`',
            value = {
                "no-colon-here-7361666521            | has no colon; each line is NAME:HEXKEY",
                ":00112233445566778899aabbccddeeff   | has no name before the colon",
                "# my keys: 7361666521               | begins with #, behind which a name stands in hexadecimal digits",
                "#6100:00112233445566778899aabbccddeeff | has a name with a zero byte",
                "carol:                              | has a key that is not an even number of hexadecimal digits",
                "carol:7361666521f                   | has a key that is not an even number of hexadecimal digits",
                "carol:secret-7361666521             | has a key that is not an even number of hexadecimal digits",
                "carol:7361666521                    | has a key of 5 bytes; it must have 16 to 64, and psktool makes 32"
            })
    void a_wrong_line_is_named_by_its_number_and_not_shown(String line, String reason) {
        assertThatThrownBy(() -> read("alice:" + KEY + "\n\n" + line + "\n"))
                .isInstanceOf(IOException.class)
                .hasMessageStartingWith(folder.resolve("keys.psk") + ": line 3 " + reason)
                .satisfies(e -> {
                    for (Throwable cause = e; cause != null; cause = cause.getCause()) {
                        assertThat(cause.getMessage())
                                .doesNotContain("7361666521")
                                .doesNotContain("001122");
                    }
                });
    }

    @Test
    void too_long_a_name_or_key_is_refused() {
        assertThatThrownBy(() -> read("n".repeat(129) + ":" + KEY))
                .hasMessageContaining("line 1 has a name of 129 bytes; it may have 128 at most");
        assertThatThrownBy(() -> read("n".repeat(128) + ":" + KEY.repeat(4) + "00"))
                .hasMessageContaining("line 1 has a key of 65 bytes");
    }

    @Test
    void a_file_without_a_key_or_too_large_is_refused() {
        assertThatThrownBy(() -> read("\n\n")).hasMessageContaining("holds no key; each line is NAME:HEXKEY");
        assertThatThrownBy(() -> read(("alice:" + KEY + "\n").repeat(30_000)))
                .hasMessageContaining("has more than 1048576 bytes");
    }

    @ParameterizedTest
    @ValueSource(strings = {"rw-r-----", "rw--w----", "rw----r--", "rw-----w-"})
    void a_file_that_others_may_read_or_change_is_refused(String mode) throws IOException {
        Path file = write("alice:" + KEY);
        Files.setPosixFilePermissions(file, PosixFilePermissions.fromString(mode));
        assertThatThrownBy(() -> new PskFile(file).read())
                .hasMessage("others may read or change the secret in " + file + "; give it mode 0600");
    }

    @Test
    void a_link_a_folder_and_nothing_are_refused() throws IOException {
        Path link = folder.resolve("link");
        Files.createSymbolicLink(link, write("alice:" + KEY));
        assertThatThrownBy(() -> new PskFile(link).read())
                .hasMessage(link + " is a symbolic link; name the file that it leads to");
        assertThatThrownBy(() -> new PskFile(folder).read()).hasMessageContaining(folder + " is not a file");
        assertThatThrownBy(() -> new PskFile(folder.resolve("none")).read()).hasMessageContaining("does not exist");
    }

    @Test
    void nothing_of_it_is_in_the_text_of_the_keys() throws IOException {
        assertThat(read("alice:" + KEY)).hasToString("1 shared keys");
    }
}
