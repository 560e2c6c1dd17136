package io.leapnbd.tools;

import java.io.PrintWriter;
import java.util.concurrent.Callable;
import picocli.AutoComplete;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Spec;

/** {@code leap-nbd generate-completion}. */
@Command(
        name = "generate-completion",
        description = {
            "Prints a script that has the shell complete commands and options, in bash and zsh.",
            "",
            "For this shell: source <(leap-nbd generate-completion). For all to come, put that line into ~/.bashrc.",
            ""
        })
final class CompletionCommand implements Callable<Integer> {

    @Spec
    private CommandSpec spec = CommandSpec.create();

    CompletionCommand() {}

    @Override
    public Integer call() {
        // Not the root of this command: that one knows only what was asked for.
        String script = AutoComplete.bash("leap-nbd", LeapNbd.commandLine());
        PrintWriter out = spec.commandLine().getOut();
        out.println(script);
        out.flush();
        return 0;
    }
}
