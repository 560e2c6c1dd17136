package io.leapnbd.tools.serve;

import io.leapnbd.tools.cli.ExitCode;
import io.leapnbd.tools.http.EndpointOptions;
import java.net.URLEncoder;
import java.nio.charset.StandardCharsets;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** {@code leap-nbd drain}. */
@Command(
        name = "drain",
        sortOptions = false,
        description = {
            "Has a running server move all that it keeps at a donor to other donors, and place nothing there any more. Reads and"
                    + " writes go on. It returns at once; 'status' shows what is left.",
            "",
            "Where no other donor has room the pages stay where they are, and 'status' says so. The server"
                    + " forgets this when it ends: a donor that is to go for good is left out of --donors then.",
            "",
            "A donor that is told to end (SIGTERM) drains itself, from all its servers: see 'leap-nbd donor --help'."
        })
public final class DrainCommand implements Callable<Integer> {

    @Mixin
    private final EndpointOptions endpoint = new EndpointOptions();

    @Option(names = "--undo", description = "Use the donor again.")
    private boolean undo;

    @Parameters(
            paramLabel = "DONOR",
            description = "The donor as serve's --donors and 'status' name it, like 10.0.0.2:9400.")
    private String donor = "";

    @Spec
    private CommandSpec spec = CommandSpec.create();

    /** For picocli. */
    public DrainCommand() {}

    @Override
    public Integer call() {
        String query =
                "/drain?donor=" + URLEncoder.encode(donor, StandardCharsets.UTF_8) + "&undo=" + (undo ? "yes" : "no");
        spec.commandLine().getOut().print(endpoint.client().put(query));
        spec.commandLine().getOut().flush();
        return ExitCode.OK;
    }
}
