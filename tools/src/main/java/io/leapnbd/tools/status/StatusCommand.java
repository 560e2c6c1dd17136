package io.leapnbd.tools.status;

import io.leapnbd.tools.cli.ExitCode;
import io.leapnbd.tools.http.EndpointOptions;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** {@code leap-nbd status}. */
@Command(
        name = "status",
        sortOptions = false,
        description = "Shows what a running server or donor does, once; 'top' shows it live.")
public final class StatusCommand implements Callable<Integer> {

    @Mixin
    private final EndpointOptions endpoint = new EndpointOptions();

    @Option(names = "--json", description = "As JSON, for scripts.")
    private boolean json;

    @Spec
    private CommandSpec spec = CommandSpec.create();

    /** For picocli. */
    public StatusCommand() {}

    @Override
    public Integer call() {
        String text = endpoint.client().get(json ? "/status?format=json" : "/status?format=text");
        spec.commandLine().getOut().print(text);
        spec.commandLine().getOut().flush();
        return ExitCode.OK;
    }
}
