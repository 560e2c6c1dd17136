package io.leapnbd.tools;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assumptions.assumeThat;

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

/** Each script is sourced by its shell, which is asked what it would complete. */
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

    /** $1 is the script, $2 a command line; prints what an interactive zsh shows when the tabulator key is pressed after it, up to $3. */
    private static final String ASK_ZSH = """
            zmodload zsh/zpty
            zpty shell zsh -f -i
            zpty -w shell "autoload -U compinit; compinit -u -D; source $1; bindkey '^I' list-choices; print REA''DY"
            zpty -r shell shown '*READY*'
            zpty -w -n shell "$2"$'\t'
            zpty -r shell shown "*$3*"
            print -r -- "$shown"
            zpty -d shell
            """;

    private final Path folder;

    CompletionTest(@TempDir Path folder) {
        this.folder = folder;
    }

    private Path script(String shell) throws IOException {
        StringWriter out = new StringWriter();
        String[] command = {"generate-completion", shell};
        int code =
                LeapNbd.commandLine(command).setOut(new PrintWriter(out, true)).execute(command);
        assertThat(code).isEqualTo(ExitCode.OK);
        return Files.writeString(folder.resolve("completion"), out.toString());
    }

    private static List<String> ask(String shell, String... arguments) throws IOException, InterruptedException {
        assumeThat(Files.exists(Path.of("/usr/bin", shell)))
                .as(shell + " is not installed")
                .isTrue();
        List<String> line = new ArrayList<>(List.of(shell));
        line.addAll(List.of(arguments));
        Process process = new ProcessBuilder(line).redirectErrorStream(true).start();
        String output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        assertThat(process.waitFor()).as(output).isZero();
        return output.lines().toList();
    }

    private List<String> offered(String... words) throws IOException, InterruptedException {
        List<String> line = new ArrayList<>(
                List.of("--norc", "-c", ASK, "bash", script("bash").toString()));
        line.addAll(List.of(words));
        return ask("bash", line.toArray(String[]::new));
    }

    private List<String> offeredByFish(String line) throws IOException, InterruptedException {
        return ask(
                        "fish",
                        "--no-config",
                        "-c",
                        "source $argv[1]; complete -C $argv[2]",
                        script("fish").toString(),
                        line)
                .stream()
                .map(offer -> offer.replaceAll("\t.*", ""))
                .toList();
    }

    private String shownByZsh(String line, String last) throws IOException, InterruptedException {
        return String.join(
                "\n", ask("zsh", "-f", "-c", ASK_ZSH, "zsh", script("zsh").toString(), line, last));
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

    @Test
    void fishCompletesCommandsOptionsAndValues() throws Exception {
        assertThat(offeredByFish("leap-nbd se")).containsExactlyInAnyOrder("serve", "set");
        assertThat(offeredByFish("leap-nbd histogram ")).containsExactly("dump");
        assertThat(offeredByFish("leap-nbd serve --exp")).containsExactly("--export");
        assertThat(offeredByFish("leap-nbd serve --prefetch ")).contains("adaptive", "leap", "none");
        assertThat(offeredByFish("leap-nbd tr")).containsExactly("trace");
    }

    @Test
    void fishOffersFilesOnlyWhereAFileIsWanted() throws Exception {
        Files.writeString(folder.resolve("eight.gz"), "");
        assertThat(offeredByFish("leap-nbd replay " + folder + "/ei")).containsExactly(folder + "/eight.gz");
        assertThat(offeredByFish("leap-nbd serve --size " + folder + "/ei")).isEmpty();
    }

    @Test
    void zshCompletesCommandsAndOptions() throws Exception {
        assertThat(shownByZsh("leap-nbd se", "set")).contains("serve").doesNotContain("status", "doctor");
        assertThat(shownByZsh("leap-nbd serve --prefetch=", "stride")).contains("adaptive", "leap-kernel");
    }
}
