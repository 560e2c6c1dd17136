package io.leapnbd.tools.donor;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.leapnbd.donor.store.OwnerLimits;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

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
                "a 1G/b | line 2: 'b' has no size; write it like 'NAME 8G'",
                "#/a 1X | line 2: '1X' is not a size; write it like 512M or 2G",
                "a 1G/b 1G/a 2G | line 3: 'a' is named a second time; leave one of the lines out",
                "a -1G | line 1: '-1G' is not a size"
            })
    void aWrongLineIsNamedByItsNumber(String lines, String why) throws IOException {
        Path file = file(lines.replace('/', '\n'));
        assertThatThrownBy(() -> OwnersFile.read(file, OwnerLimits.UNLIMITED))
                .isInstanceOf(IOException.class)
                .hasMessageStartingWith(file + ", ")
                .hasMessageContaining(why);
    }

    @Test
    void whatIsNoTextIsRefused() throws IOException {
        Path file = folder.resolve("owners");
        Files.write(file, "caf\u00e9 1G".getBytes(StandardCharsets.ISO_8859_1));
        assertThatThrownBy(() -> OwnersFile.read(file, 0)).hasMessage(file + " is not text in UTF-8");
    }
}
