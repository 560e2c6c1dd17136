package io.leapnbd.tools;

import static org.assertj.core.api.Assertions.assertThat;

import io.leapnbd.tools.cli.ExitCode;
import io.leapnbd.tools.config.ConfigSource;
import io.leapnbd.tools.config.Configured;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import picocli.CommandLine;

class ConfigurationTest {

    private final StringWriter out = new StringWriter();
    private final StringWriter err = new StringWriter();
    private final Map<String, String> environment = new HashMap<>();

    @TempDir
    private Path folder;

    private Path file;
    private List<String> ran = List.of();

    @BeforeEach
    void name() {
        file = folder.resolve("leap-nbd.toml");
    }

    /** Runs a command as far as its options: with what it would be started. */
    private int start(String... args) {
        CommandLine line = LeapNbd.commandLine(args);
        line.setOut(new PrintWriter(out, true)).setErr(new PrintWriter(err, true));
        line.getSubcommands().values().forEach(command -> command.setErr(new PrintWriter(err, true)));
        line.setExecutionStrategy(result -> {
            ran = result.originalArgs();
            return 0;
        });
        return Configured.execute(line, args, new ConfigSource(environment, file));
    }

    private int run(String... args) {
        CommandLine line = LeapNbd.commandLine(args);
        line.setOut(new PrintWriter(out, true)).setErr(new PrintWriter(err, true));
        return line.execute(args);
    }

    private void write(String text) throws IOException {
        Files.writeString(file, text);
    }

    @Test
    void withoutAFileNothingIsAdded() {
        assertThat(start("serve", "--size", "1G")).isZero();
        assertThat(ran).containsExactly("serve", "--size", "1G");
    }

    @Test
    void anOptionCountsBeforeAVariableAndThatBeforeTheInstanceAndThatBeforeItsCommand() throws IOException {
        write("""
                [serve]
                size = "1G"
                threads = 1
                history = 16
                split = 2
                pin = true
                [serve.swap]
                size = "2G"
                threads = 2
                history = 24
                """);
        environment.put("LEAP_NBD_SERVE_THREADS", "3");
        environment.put("LEAP_NBD_SERVE_SIZE", "3G");
        assertThat(start("serve", "--instance", "swap", "--size=4G", "--pin=false"))
                .isZero();
        assertThat(ran)
                .contains("--size=4G", "--threads=3", "--history=24", "--split=2", "--pin=false")
                .doesNotContain("--size=3G", "--size=2G", "--threads=2", "--history=16", "--pin");
        assertThat(start("serve")).isZero();
        assertThat(ran).contains("--size=3G", "--history=16", "--pin");
    }

    @Test
    void listsAndFlagsAreWrittenAsTomlHasThem() throws IOException {
        write("""
                [serve]
                donors = ["h1", "h2:9401"]
                size = 1048576
                listen = ["127.0.0.1:1", "127.0.0.1:2"]
                pin = false
                busy-poll = true
                """);
        assertThat(start("serve")).isZero();
        assertThat(ran)
                .containsExactlyInAnyOrder(
                        "serve",
                        "--donors=h1,h2:9401",
                        "--size=1048576",
                        "--listen=127.0.0.1:1",
                        "--listen=127.0.0.1:2",
                        "--busy-poll");
        // What is typed is instead of the list, not beside it.
        assertThat(start("serve", "--listen", "127.0.0.1:3")).isZero();
        assertThat(ran).doesNotContain("--listen=127.0.0.1:1");
    }

    @Test
    void anInstanceHasAnExportAndASocketOfItsOwn() throws IOException {
        write("[serve.swap]\nsize = \"1G\"\n[serve.other]\nsize = \"1G\"\nlisten = \"127.0.0.1:0\"\nexport = \"x\"\n");
        assertThat(start("serve", "--instance", "swap")).isZero();
        assertThat(ran)
                .anyMatch(arg -> arg.startsWith("--unix=") && arg.endsWith("/swap.sock"))
                .anyMatch(arg -> arg.startsWith("--export=") && arg.endsWith(".swap"));
        assertThat(start("serve", "--instance", "other")).isZero();
        assertThat(ran).contains("--export=x").noneMatch(arg -> arg.startsWith("--unix"));
    }

    @Test
    void whatAttachesAnInstanceFindsItsServer() throws IOException {
        write("[serve.swap]\nunix = \"/run/own.sock\"\n[serve.other]\n[attach]\nconnections = 2\n");
        assertThat(start("attach", "--instance", "swap")).isZero();
        assertThat(ran).containsExactly("attach", "--connections=2", "--instance", "swap", "/run/own.sock");
        assertThat(start("attach", "--instance", "other", "/x")).isZero();
        assertThat(ran).endsWith("/x").doesNotContain("/run/own.sock");
        assertThat(start("attach", "--instance", "third")).isEqualTo(ExitCode.USAGE);
        assertThat(err.toString()).contains(file + " has no [attach.third]");
    }

    @Test
    void theLevelOfTheLogIsAlsoAVariableOfItsOwn() throws IOException {
        write("[serve]\nlog-level = \"warn\"\n");
        assertThat(start("serve")).isZero();
        assertThat(ran).contains("--log-level=warn");
        environment.put("LEAP_NBD_LOG", "error");
        assertThat(start("serve")).isZero();
        assertThat(ran).contains("--log-level=error");
        assertThat(start("serve", "-v")).isZero();
        assertThat(ran).containsExactly("serve", "-v");
    }

    @Test
    void theFileIsNamedByAnOptionOrAVariable() throws IOException {
        write("[serve]\nsize = \"1G\"\n");
        Path other = Files.writeString(folder.resolve("other.toml"), "[serve]\nsize = \"2G\"\n");
        environment.put("LEAP_NBD_CONFIG", other.toString());
        assertThat(start("serve")).isZero();
        assertThat(ran).contains("--size=2G");
        assertThat(start("serve", "--config", file.toString())).isZero();
        assertThat(ran).contains("--size=1G");
        assertThat(start("serve", "--config", "none")).isZero();
        assertThat(ran).containsExactly("serve", "--config", "none");
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            quoteCharacter = '"',
            value = {
                "[serve]/sise = 1 | 2: [serve] sise: there is no such setting of serve; did you mean 'size'?",
                "[serve]/size = '5X' | 2: [serve] size: '5X' is not a size; write it like 512M or 2G",
                "[serve]/size = '1000' | 2: [serve] size: 1000 is not a multiple of 4K above zero",
                "[serve]/size = 8G | 2: unexpected 'G', expected a newline or end-of-input; write the value in quotes, like \"8G\"",
                "[serve]/pin = 'yes' | 2: [serve] pin: it is true or false, without quotes",
                "[serve]/size = true | 2: [serve] size: true is no value here; write size = \"SIZE\"",
                "[serve]/size = 1.5 | 2: [serve] size: a number with a point is no value here",
                "[serve]/size = ['1G','2G'] | 2: [serve] size: it has one value, and here are 2 in brackets",
                "[serve]/donors = [1] | 2: [serve] donors: all in the list have to be in quotes; write donors = [\"LIST\"]",
                "[serve]/donors = [] | 2: [serve] donors: the list is empty",
                "[serve]/fresh = true | 2: [serve] fresh: it is for one start, not for all; give it on the command line, --fresh",
                "[serve]/take-over = true | give it on the command line",
                "[serve]/verbose = true | write log-level = \"debug\"",
                "[serve]/config = 'x' | there is no such setting",
                "[serve]/overcommit = true | there is no such setting",
                "[server]/size = 1 | 1: there is no section [server]; did you mean 'serve'?",
                "size = 1 | 1: there is no section [size]; there are [donor], [serve], [attach]",
                "serve = 1 | 1: serve is a section; write [serve] on a line of its own",
                "[donor.one]/memory = '1G' | [donor.one] is a section too many",
                "[serve.one.two]/size = 1 | is a section too many",
                "[serve.'a b']/size = 1 | 'a b' is no name of an instance",
                "[serve]/size = 4096/size = 8192 | 3: size previously defined at line 2",
            })
    void whatIsWrongInAFileIsNamedWithItsPlaceAndItsRemedy(String text, String why) throws IOException {
        write(text.replace('/', '\n') + "\n");
        assertThat(run("config", "check", file.toString())).isEqualTo(ExitCode.USAGE);
        assertThat(err.toString()).contains(why).contains(file.toString()).doesNotContain("\tat ");
        if (text.startsWith("[serve]")) {
            err.getBuffer().setLength(0);
            assertThat(start("serve")).isEqualTo(why.contains("multiple") ? ExitCode.OK : ExitCode.USAGE);
            assertThat(err.toString()).contains(why.contains("multiple") ? "" : why);
        }
    }

    @Test
    void allProblemsAreListed() throws IOException {
        write("[serve]\nsise = 1\n[serve.a]\nhistry = 1\n[donor]\nmemory = \"8M\"\n");
        assertThat(run("config", "check", file.toString())).isEqualTo(ExitCode.USAGE);
        assertThat(err.toString().lines())
                .hasSize(3)
                .allMatch(line -> line.startsWith("leap-nbd config check: " + file + ":"));
    }

    @Test
    void everyWrongValueOfASectionIsListed() throws IOException {
        write("[serve.swap]\nsize = \"8X\"\nwait = \"soon\"\nhistory = 33\nthreads = \"many\"\n");
        assertThat(run("config", "check", file.toString())).isEqualTo(ExitCode.USAGE);
        for (int line : new int[] {2, 3, 5}) {
            assertThat(err.toString()).contains(file + ":" + line + ": [serve.swap]");
        }
    }

    @ParameterizedTest
    @CsvSource({
        "LEAP_NBD_SERVE_SISE,1,did you mean 'size'?",
        "LEAP_NBD_SERVE_PIN,yes,it is true or false",
        "LEAP_NBD_SERVE_FRESH,true,give it on the command line",
        "LEAP_NBD_SERVE_SIZE,8X,LEAP_NBD_SERVE_SIZE: '8X' is not a size",
    })
    void aWrongVariableIsRefusedByItsName(String name, String value, String why) {
        environment.put(name, value);
        assertThat(start("serve")).isEqualTo(ExitCode.USAGE);
        assertThat(err.toString()).contains(name, why);
    }

    @Test
    void aFileThatOthersMayChangeIsNotRead() throws IOException {
        write("[serve]\n");
        Files.setPosixFilePermissions(file, PosixFilePermissions.fromString("rw-r--rw-"));
        assertThat(start("serve")).isEqualTo(ExitCode.USAGE);
        assertThat(err.toString()).contains("chmod o-w " + file);
    }

    @Test
    void anInstanceWithoutAFileIsRefused() {
        assertThat(start("serve", "--instance", "swap")).isEqualTo(ExitCode.USAGE);
        assertThat(err.toString()).contains("--instance swap: there is no file of settings");
    }

    @Test
    void showSaysWhereASettingComesFrom() throws IOException {
        write("[serve]\nhistory = 16\n[serve.swap]\ndonors = [\"h1\"]\nsize = \"1G\"\n");
        assertThat(run("config", "show", "--origin", "--config", file.toString(), "serve", "swap"))
                .as(err.toString())
                .isZero();
        assertThat(out.toString().lines().map(line -> line.replaceAll(" +#", " #")))
                .contains(
                        "[serve.swap]",
                        "donors = [\"h1\"] # " + file + ":4",
                        "history = 16 # " + file + ":2",
                        "cache-size = \"16M\" # default")
                .anyMatch(line -> line.startsWith("unix = [\"") && line.endsWith("# instance swap"));
    }

    /** What a start would say of them, in the words of the file. */
    @Test
    void filesOfCertificatesAndKeysAreReadAsAStartReadsThem() throws IOException {
        Path none = folder.resolve("none");
        write("""
                [donor]
                memory = "64M"
                pool = "NONE"
                http-token = "NONE"
                http-tls = "NONE"
                [serve]
                size = "64M"
                tls-certificates = "NONE"
                encrypt = "on"
                key-file = "NONE"
                pool = "NONE"
                [serve.keys]
                tls-psk = "NONE"
                tls-certificates = "NONE"
                tls = "on"
                """.replace("NONE", none.toString()));
        assertThat(run("config", "check", file.toString())).isEqualTo(ExitCode.USAGE);
        assertThat(err.toString().lines())
                .allMatch(line -> line.startsWith("leap-nbd config check: " + file + ":"))
                .noneMatch(line -> line.contains("--"))
                .satisfiesOnlyOnce(line -> assertThat(line).contains(":3: [donor] pool: ", none.toString()))
                .satisfiesOnlyOnce(line -> assertThat(line).contains(":4: [donor] http-token: ", none.toString()))
                .satisfiesOnlyOnce(line -> assertThat(line).contains(":5: [donor] http-tls: ", none.toString()))
                .satisfiesOnlyOnce(line -> assertThat(line).contains(":10: [serve] key-file: ", none.toString()))
                .satisfiesOnlyOnce(line -> assertThat(line).contains(":11: [serve] pool: ", none.toString()))
                .satisfiesOnlyOnce(line -> assertThat(line).contains(":13: [serve.keys] tls-psk: ", none.toString()))
                .anyMatch(line -> line.contains(":14: [serve.keys] tls-certificates: " + none));
    }

    @Test
    void aRemedyIsSaidInTheWordsOfTheFile() throws IOException {
        write("[donor]\nmemory = \"64M\"\nlisten = \"0.0.0.0:9400\"\n");
        assertThat(run("config", "check", file.toString())).isEqualTo(ExitCode.USAGE);
        assertThat(err.toString())
                .contains("pool = \"FOLDER\"", "insecure = true")
                .doesNotContain("--pool", "--insecure");
    }

    @Test
    void theExamplePassesTheCheckAndSoDoesEachOfItsLines() throws IOException {
        assertThat(run("config", "example")).isZero();
        String example = out.toString();
        write(example);
        assertThat(run("config", "check", file.toString())).as(err.toString()).isZero();
        Matcher line = Pattern.compile("^# ([a-z-]+ = .*)$", Pattern.MULTILINE).matcher(example);
        List<String> keys = new ArrayList<>();
        while (line.find()) {
            keys.add(line.group(1));
            write(example.substring(0, line.start(1) - 2) + example.substring(line.start(1)));
            String section =
                    example.substring(0, line.start()).replaceAll("(?s).*\\n\\[(donor|serve|attach)]\\n.*", "$1");
            assertThat(start(section))
                    .as(section + ": " + line.group(1) + ": " + err)
                    .isZero();
            assertThat(ran.size() > 1)
                    .as(line.group(1))
                    .isNotEqualTo(line.group(1).endsWith(" = false"));
        }
        assertThat(keys).hasSizeGreaterThan(60);
    }
}
