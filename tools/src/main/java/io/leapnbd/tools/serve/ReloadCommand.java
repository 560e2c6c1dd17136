package io.leapnbd.tools.serve;

import io.leapnbd.tools.cli.ExitCode;
import io.leapnbd.tools.http.EndpointOptions;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Spec;

/** {@code leap-nbd reload}. */
@Command(
        name = "reload",
        sortOptions = false,
        description = {
            "Has a running server or donor read its file of settings again. It prints what is in force now, and what needs a"
                    + " restart. A file with something wrong in it changes nothing, and the exit code is 2.",
            "",
            "What can change while it runs: donors, prefetch, history, split, max-window, cache-size, log-level, log-format; of a"
                    + " donor keep-free, per-owner, owners with its file, log-level, log-format. What 'leap-nbd set' has changed stays, unless the file has another value than before. SIGHUP does the"
                    + " same, and the log says what came of it.",
            "",
            "Certificates, keys and tokens of --pool, --tls-certificates, --tls-psk, --http-tls and --http-token are read again, with or without a file of settings. Links"
                    + " whose peer is not believed any more end.",
            "",
            "Files that are written, of --record and --histogram-log, are opened anew.",
            "",
            "The server must run on this machine. 'attach' has nothing that changes while it runs."
        })
public final class ReloadCommand implements Callable<Integer> {

    @Mixin
    private final EndpointOptions endpoint = new EndpointOptions();

    @Spec
    private CommandSpec spec = CommandSpec.create();

    /** For picocli. */
    public ReloadCommand() {}

    @Override
    public Integer call() {
        spec.commandLine().getOut().print(endpoint.client().put("/reload"));
        spec.commandLine().getOut().flush();
        return ExitCode.OK;
    }
}
