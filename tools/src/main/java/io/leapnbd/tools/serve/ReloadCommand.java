package io.leapnbd.tools.serve;

import io.leapnbd.tools.cli.CommandFailure;
import io.leapnbd.tools.cli.ExitCode;
import io.leapnbd.tools.http.EndpointOptions;
import io.leapnbd.tools.http.RefusedException;
import io.leapnbd.tools.http.ReloadAnswer;
import io.leapnbd.tools.http.RunFile;
import java.io.PrintWriter;
import java.util.Comparator;
import java.util.List;
import java.util.Set;
import java.util.concurrent.Callable;
import java.util.function.Supplier;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Spec;

/** {@code leap-nbd reload}. */
@Command(
        name = "reload",
        sortOptions = false,
        description = {
            "Has running servers and donors read their files of settings again. It prints what is in force now, and what needs a"
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
            "It asks all servers and donors of this user that run on this machine, and prints a line for each. --pid or --http"
                    + " name one. The exit code is the highest of theirs. One with nothing to read again is no failure, unless it was named. 'attach' has"
                    + " nothing that changes while it runs."
        })
public final class ReloadCommand implements Callable<Integer> {

    private static final Set<String> ROLES = Set.of("serve", "donor");

    @Mixin
    private final EndpointOptions endpoint = new EndpointOptions();

    @Spec
    private CommandSpec spec = CommandSpec.create();

    private final Supplier<List<RunFile>> running;

    /** For picocli. */
    public ReloadCommand() {
        this(RunFile::running);
    }

    /** Of other processes than those that run here. */
    ReloadCommand(Supplier<List<RunFile>> running) {
        this.running = running;
    }

    @Override
    public Integer call() {
        List<RunFile> all = endpoint.named() ? endpoint.process() : serversAndDonors();
        PrintWriter out = spec.commandLine().getOut();
        if (all.isEmpty()) {
            // Nobody who is known here: it may be somewhere else.
            out.print(endpoint.client().put("/reload"));
            out.flush();
            return ExitCode.OK;
        }
        int worst = ExitCode.OK;
        for (RunFile one : all) {
            worst = Math.max(worst, reload(one, out));
        }
        return worst;
    }

    /** Donors first: what a server borrows afterwards it borrows by what they know then. */
    private List<RunFile> serversAndDonors() {
        return running.get().stream()
                .filter(file -> ROLES.contains(file.role()))
                .sorted(Comparator.comparing(RunFile::role).thenComparingLong(RunFile::pid))
                .toList();
    }

    private int reload(RunFile process, PrintWriter out) {
        String who = process.role() + " " + process.pid() + ": ";
        try {
            if (process.http() == null) {
                throw new CommandFailure(
                        ExitCode.UNREACHABLE,
                        "it has no HTTP endpoint to ask; say 'kill -HUP " + process.pid()
                                + "', and its log says what came of it");
            }
            out.print(who + endpoint.client(process).put("/reload"));
            out.flush();
            return ExitCode.OK;
        } catch (CommandFailure e) {
            String why = String.valueOf(e.getMessage());
            if (!endpoint.named()
                    && e instanceof RefusedException refused
                    && refused.status() == ReloadAnswer.NOTHING) {
                out.println(who + why);
                out.flush();
                return ExitCode.OK;
            }
            spec.commandLine()
                    .getErr()
                    .println(spec.qualifiedName() + ": " + who
                            + why.lines().findFirst().orElse(""));
            spec.commandLine().getErr().flush();
            return e.exitCode();
        }
    }
}
