package io.leapnbd.tools.config;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.Map;
import java.util.Set;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class ConfigEditTest {

    private static final String TEXT = """
            # top; ünïcode

            [serve]  # for all
              prefetch  =  'leap'   # why
            history=32

            [serve.swap]   # mine
            donors = [ "h1",
              "h2", ]
            size="8G"   # not to be touched

            # [donor] is not here
            [attach]
            """;

    @TempDir
    private Path folder;

    private Path file;

    @BeforeEach
    void write() throws IOException {
        file = Files.writeString(folder.resolve("leap-nbd.toml"), TEXT);
    }

    @ParameterizedTest
    @ValueSource(strings = {"\n", "\r\n"})
    void onlyTheValueIsChanged(String lineEnd) throws Exception {
        Files.writeString(file, TEXT.replace("\n", lineEnd));
        assertThat(ConfigEdit.save(file, "serve", null, Map.of("prefetch", "none"), Set.of()))
                .containsExactly("prefetch");
        assertThat(Files.readString(file))
                .isEqualTo(TEXT.replace("'leap'", "\"none\"").replace("\n", lineEnd));
        ConfigEdit.save(file, "serve", "swap", Map.of("donors", "h1,h3"), Set.of("donors"));
        assertThat(Files.readString(file))
                .isEqualTo(TEXT.replace("'leap'", "\"none\"")
                        .replace("[ \"h1\",\n  \"h2\", ]", "[\"h1\", \"h3\"]")
                        .replace("\n", lineEnd));
    }

    @Test
    void aKeyOfAllServersIsWrittenForTheOneAlone() throws Exception {
        ConfigEdit.save(file, "serve", "swap", Map.of("history", "64"), Set.of());
        assertThat(Files.readString(file)).isEqualTo(TEXT.replace("to be touched\n", "to be touched\nhistory = 64\n"));
    }

    @Test
    void aSectionThatIsNotThereIsAdded() throws Exception {
        ConfigEdit.save(file, "donor", null, Map.of("log-level", "debug"), Set.of());
        assertThat(Files.readString(file)).startsWith(TEXT).contains("[donor]\nlog-level = \"debug\"\n");
    }

    @Test
    void whatIsThereAlreadyLeavesTheFileAlone() throws Exception {
        Object key = Files.getAttribute(file, "unix:ino");
        assertThat(ConfigEdit.save(file, "serve", null, Map.of("history", "32", "prefetch", "leap"), Set.of()))
                .isEmpty();
        assertThat(Files.getAttribute(file, "unix:ino")).isEqualTo(key);
    }

    @Test
    void modeAndLinkStay() throws Exception {
        Files.setPosixFilePermissions(file, PosixFilePermissions.fromString("rw-r-----"));
        Path link = Files.createSymbolicLink(folder.resolve("link.toml"), file);
        ConfigEdit.save(link, "serve", null, Map.of("history", "64"), Set.of());
        assertThat(link).isSymbolicLink();
        assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(file)))
                .isEqualTo("rw-r-----");
        assertThat(Files.readString(file)).isEqualTo(TEXT.replace("history=32", "history=64"));
        assertThat(folder).isDirectoryNotContaining(path -> path.toString().endsWith(".part"));
    }

    @Test
    void aBrokenFileIsNotChanged() throws Exception {
        String broken = TEXT + "[serve]\n";
        Files.writeString(file, broken);
        assertThatThrownBy(() -> ConfigEdit.save(file, "serve", null, Map.of("history", "64"), Set.of()))
                .isInstanceOf(ConfigException.class)
                .hasMessageContaining(file + ":14: ");
        assertThat(Files.readString(file)).isEqualTo(broken);
    }
}
