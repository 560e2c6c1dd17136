package io.leapnbd.tools;

import static org.assertj.core.api.Assertions.assertThat;

import io.leapnbd.tools.cli.ExitCode;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The script is sourced by a bash, which is asked what it would complete. */
class CompletionTest {

    /**
     * $1 is the script, the rest are the words of a command line whose last one is being typed; prints what bash would offer.
     * {@code compopt} is refused outside of a real completion, and does nothing to the list.
     */
    private static final String ASK = """
            source "$1" || exit 1
            shift
            COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)) COMP_LINE=$* COMP_POINT=${#COMP_LINE}
            [[ $(complete -p leap-nbd) =~ -F\\ ([^ ]+) ]] || exit 2
            compopt() { :; }
            "${BASH_REMATCH[1]}" leap-nbd
            printf '%s\\n' "${COMPREPLY[@]}"
            """;

    private final Path script;

    CompletionTest(@TempDir Path folder) throws IOException {
        StringWriter out = new StringWriter();
        String[] command = {"generate-completion"};
        int code =
                LeapNbd.commandLine(command).setOut(new PrintWriter(out, true)).execute(command);
        assertThat(code).isEqualTo(ExitCode.OK);
        script = Files.writeString(folder.resolve("completion"), out.toString());
    }

    private List<String> offered(String... words) throws IOException, InterruptedException {
        List<String> line = new ArrayList<>(List.of("bash", "--norc", "-c", ASK, "bash", script.toString()));
        line.addAll(List.of(words));
        Process bash = new ProcessBuilder(line).redirectErrorStream(true).start();
        String output = new String(bash.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        assertThat(bash.waitFor()).as(output).isZero();
        return output.lines().toList();
    }

    @Test
    void commandsAreCompleted() throws Exception {
        assertThat(offered("leap-nbd", "se")).containsExactlyInAnyOrder("serve", "set");
        assertThat(offered("leap-nbd", "histogram", "d")).containsExactly("dump");
    }

    @Test
    void everyCommandButTheHiddenOneIsOffered() throws Exception {
        assertThat(offered("leap-nbd", ""))
                .containsAll(LeapNbd.names().stream()
                        .filter(name -> !name.equals("train"))
                        .toList())
                .doesNotContain("train");
    }

    @Test
    void optionsAreThoseOfTheCommand() throws Exception {
        assertThat(offered("leap-nbd", "serve", "--exp")).containsExactly("--export");
        assertThat(offered("leap-nbd", "donor", "--m")).containsExactly("--memory");
    }
}
