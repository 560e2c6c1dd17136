package io.leapnbd.tools.pool;

import io.leapnbd.donor.tls.PoolAuthority;
import io.leapnbd.nbd.tls.RevokedFile;
import io.leapnbd.tools.cli.CommandFailure;
import io.leapnbd.tools.cli.ExitCode;
import io.leapnbd.tools.cli.NearestName;
import io.leapnbd.tools.linux.Machine;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.concurrent.Callable;
import java.util.stream.Collectors;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** {@code leap-nbd pool revoke}. */
@Command(
        name = "revoke",
        sortOptions = false,
        description = {
            "Takes a machine out of the pool: all its certificates that were made until now. It writes a list into the pool's folder; copy that to"
                    + " every machine and say 'leap-nbd reload' there. 'pool add' makes the machine new ones.",
            ""
        })
public final class PoolRevoke implements Callable<Integer> {

    @Parameters(index = "0", paramLabel = "FOLDER", description = "The pool's, which 'pool create' has made.")
    private Path pool = Path.of("");

    @Parameters(index = "1", paramLabel = "MACHINE", description = "Its host name, as 'pool add' was told it.")
    private String machine = "";

    @Option(
            names = "--force",
            description =
                    "Also a machine that the pool knows nothing of: an older leap-nbd made its folder, which is gone.")
    private boolean force;

    @Spec
    private CommandSpec spec = CommandSpec.create();

    /** For picocli. */
    public PoolRevoke() {}

    @Override
    public Integer call() {
        String host = machine.toLowerCase(Locale.ROOT);
        if (!MachineFolder.isHost(host)) {
            throw new ParameterException(spec.commandLine(), "'" + machine + "' is no host name");
        }
        Set<String> stay;
        try {
            MachineFolder.requirePool(pool);
            Set<String> names = PoolMachines.in(pool).names();
            Map<String, Instant> all = new TreeMap<>(RevokedFile.in(pool).before());
            if (!force && !all.containsKey(host)) {
                requireKnown(host, names);
            }
            // A certificate begins a little before it is made. In this very second some may have been made.
            all.put(
                    host,
                    Instant.now()
                            .truncatedTo(ChronoUnit.SECONDS)
                            .minus(PoolAuthority.CLOCKS)
                            .plusSeconds(1));
            PemFiles.revoked(pool, all);
            // One that was taken out earlier may be back, with new certificates.
            stay = names.stream().filter(name -> !name.equals(host)).collect(Collectors.toSet());
        } catch (IOException e) {
            throw new CommandFailure(ExitCode.FAILED, String.valueOf(e.getMessage()), e);
        }
        Path list = pool.resolve(RevokedFile.NAME).toAbsolutePath().normalize();
        PrintWriter out = spec.commandLine().getOut();
        out.println(host + " is taken out of the pool: " + list + " says so");
        if (Files.exists(pool.resolve(host))) {
            out.println(
                    "its folder here, " + pool.resolve(host) + ", has keys that are good for nothing now: remove it");
        }
        out.println("next, for each machine that stays; until then that one goes on believing " + host + ":");
        stay.stream().sorted().forEach(machine -> sayCopy(out, list, machine));
        return ExitCode.OK;
    }

    private static void sayCopy(PrintWriter out, Path list, String machine) {
        String file = MachineFolder.quoted(list);
        out.println(
                machine.equals(Machine.hostName().toLowerCase(Locale.ROOT))
                        ? "  cp -p " + file + " /etc/leap-nbd/pool/ && leap-nbd reload"
                        : "  scp -p " + file + " root@" + machine + ":/etc/leap-nbd/pool/ && ssh root@" + machine
                                + " leap-nbd reload");
    }

    /** The nearest name; that of the same machine without a domain, if none is near. */
    private static String hint(String host, Set<String> names) {
        String hint = NearestName.hint(host, names);
        int dot = host.indexOf('.');
        return hint.isEmpty() && dot > 0 ? NearestName.hint(host.substring(0, dot), names) : hint;
    }

    /** A name with a slip in it would take nobody out, and say so of the wrong one. */
    private void requireKnown(String host, Set<String> names) {
        if (!names.contains(host)) {
            throw new ParameterException(
                    spec.commandLine(),
                    pool + " has made no machine '" + host + "'; --force takes it out nevertheless"
                            + hint(host, names));
        }
    }
}
