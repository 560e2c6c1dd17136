package io.leapnbd.tools.serve;

import io.leapnbd.tools.cli.ExitCode;
import io.leapnbd.tools.http.EndpointClient;
import io.leapnbd.tools.http.EndpointOptions;
import java.net.URLEncoder;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** {@code leap-nbd set}. */
@Command(
        name = "set",
        sortOptions = false,
        description = {
            "Changes what a running server prefetches, or its donors, and shows what is in force then; without a setting it"
                    + " only shows that. Either all changes are made or, if one is wrong, none.",
            "",
            "  prefetch=POLICY  as serve's --prefetch",
            "  history=H        accesses that Leap remembers, 2 to 1024",
            "  split=N          it looks for a trend in the newest H/N first",
            "  max-window=PW    most pages prefetched at once, 1 to 64",
            "  cache-size=SIZE  up to what serve's --cache-limit has reserved",
            "  donors=LIST      all donors that there are to be, as serve's --donors",
            "  donors+=LIST     adds donors; donors-=LIST removes some",
            "  lose-missing=yes removes silent donors too; what only they hold is lost",
            "  log-level=LEVEL  trace, debug, info, warn, error or off; of a donor too",
            "",
            "The policy begins anew, without what it has learnt. A donor that is removed is emptied first: while no other donor"
                    + " has room, it stays, and 'status' says so. donors+= takes that back. Name the donors that are in force"
                    + " when the server is started the next time: a start refuses to leave one out that holds pages.",
            "",
            "Copies: with serve's --replicas N there are always N, and no donor is removed that they need. Without it, adding"
                    + " a donor on a second machine begins to keep two copies, and removing the last but one ends that.",
            "",
            "With --save these settings are also written into the server's file of settings, so that it has them when it starts the next"
                    + " time: into [serve.NAME], or into [serve] if it is no instance. Nothing else in the file is changed.",
            "",
            "Of 'leap-nbd push' and 'attach --push', with --pid AGENT:",
            "",
            "  push=off|on|PID  for nobody, for all, or for one process only; 0 is on",
            "  policy=POLICY    adaptive, leap or off; with pid=PID for one process",
            "  history=, split=, max-window=  of leap, as above",
            "",
            "A server on another machine is named by --http HOST:PORT, and shown its token with --token-file."
        })
public final class SetCommand implements Callable<Integer> {

    @Mixin
    private final EndpointOptions endpoint = new EndpointOptions();

    @Option(names = "--export", paramLabel = "NAME", description = "The export. Default: the server's.")
    private @Nullable String export;

    @Option(names = "--json", description = "Show what is in force as JSON, for scripts.")
    private boolean json;

    @Option(names = "--save", description = "Write what is changed into the server's file of settings, too.")
    private boolean save;

    @Parameters(paramLabel = "NAME=VALUE", arity = "0..*", description = "What to change.")
    private List<String> settings = List.of();

    @Spec
    private CommandSpec spec = CommandSpec.create();

    /** For picocli. */
    public SetCommand() {}

    @Override
    public Integer call() {
        List<String> query = new ArrayList<>();
        query.add("format=" + (json ? "json" : "text"));
        if (export != null) {
            query.add("export=" + encoded(export));
        }
        Set<String> names = new HashSet<>();
        for (String setting : settings) {
            int equals = setting.indexOf('=');
            if (equals < 1 || equals == setting.length() - 1) {
                throw new ParameterException(
                        spec.commandLine(), "'" + setting + "' is not a setting; write it like prefetch=leap");
            }
            String name = setting.substring(0, equals);
            if (name.equals("export") || name.equals("format")) {
                throw new ParameterException(
                        spec.commandLine(), "no setting is called '" + name + "'; --help lists them");
            }
            if (!names.add(name)) {
                throw new ParameterException(spec.commandLine(), name + " is given twice; give it once");
            }
            query.add(encoded(name) + "=" + encoded(setting.substring(equals + 1)));
        }
        EndpointClient client = endpoint.client();
        SavedSettings saved = save ? SavedSettings.of(client, names) : null;
        spec.commandLine().getOut().print(client.put("/settings?" + String.join("&", query)));
        if (saved != null) {
            spec.commandLine().getOut().println(saved.save());
        }
        spec.commandLine().getOut().flush();
        return ExitCode.OK;
    }

    private static String encoded(String text) {
        return URLEncoder.encode(text, StandardCharsets.UTF_8);
    }
}
