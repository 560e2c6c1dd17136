package io.leapnbd.tools;

import io.leapnbd.tools.completion.FishCompletion;
import io.leapnbd.tools.completion.ZshCompletion;
import java.io.PrintWriter;
import java.util.concurrent.Callable;
import java.util.function.BiFunction;
import picocli.AutoComplete;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** {@code leap-nbd generate-completion}. */
@Command(
        name = "generate-completion",
        description = {
            "Prints a script that has a shell complete commands, options and values: bash, zsh or fish.",
            "",
            "For this bash or zsh: source <(leap-nbd generate-completion SHELL). For fish: leap-nbd generate-completion fish | source."
                    + " For all to come, put that line into the shell's own file of settings.",
            ""
        })
final class CompletionCommand implements Callable<Integer> {

    /** For which there are scripts. */
    @SuppressWarnings("ImmutableEnumChecker") // functions of the language
    enum Shell {
        bash(AutoComplete::bash),
        zsh(ZshCompletion::script),
        fish(FishCompletion::script);

        private final BiFunction<String, CommandLine, String> script;

        Shell(BiFunction<String, CommandLine, String> script) {
            this.script = script;
        }
    }

    @Parameters(
            arity = "0..1",
            paramLabel = "SHELL",
            defaultValue = "bash",
            description = "${COMPLETION-CANDIDATES}. Default: ${DEFAULT-VALUE}.")
    private Shell shell = Shell.bash;

    @Spec
    private CommandSpec spec = CommandSpec.create();

    CompletionCommand() {}

    @Override
    public Integer call() {
        // Not the root of this command: that one knows only what was asked for.
        String script = shell.script.apply("leap-nbd", LeapNbd.commandLine());
        PrintWriter out = spec.commandLine().getOut();
        out.println(script);
        out.flush();
        return 0;
    }
}
