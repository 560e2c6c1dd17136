package io.leapnbd.tools.pool;

import io.leapnbd.donor.store.Identity;
import io.leapnbd.donor.tls.PoolAuthority;
import io.leapnbd.donor.tls.Role;
import io.leapnbd.tools.cli.CommandFailure;
import io.leapnbd.tools.cli.ExitCode;
import io.leapnbd.tools.http.ShownCertificate;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** {@code leap-nbd pool create}. */
@Command(
        name = "create",
        sortOptions = false,
        description = {
            "Makes a pool: a folder with the key and certificate of its authority, and a folder in it for each machine.",
            ""
        })
public final class PoolCreate implements Callable<Integer> {

    /** To make a new pool means to visit every machine, so it is rare; machines' certificates end sooner. */
    private static final Duration LIFE = Duration.ofDays(3650);

    private static final List<Role> ALL = List.of(Role.values());

    @Parameters(index = "0", paramLabel = "FOLDER", description = "Is made, with mode 0700.")
    private Path folder = Path.of("");

    @Parameters(
            index = "1..*",
            arity = "0..*",
            paramLabel = "MACHINE",
            description = "Host names of machines that lend or borrow. 'pool add' adds more, and has options.")
    private List<String> machines = List.of();

    @Option(
            names = "--name",
            paramLabel = "NAME",
            defaultValue = "pool",
            description = "What people call it: a-z, 0-9, '.', '-' and '_'. Default: ${DEFAULT-VALUE}.")
    private String name = "pool";

    @Spec
    private CommandSpec spec = CommandSpec.create();

    /** For picocli. */
    public PoolCreate() {}

    @Override
    public Integer call() {
        if (!Identity.isName(name)) {
            throw new ParameterException(
                    spec.commandLine(), "--name: '" + name + "' is not 1 to 64 of a-z, 0-9, '.', '-' and '_'");
        }
        // What is printed is good in any folder, and shows where a pool came to be if FOLDER was left out.
        folder = folder.toAbsolutePath().normalize();
        List<MachineFolder> folders;
        try {
            folders = machines.stream()
                    .map(machine -> MachineFolder.of(folder, machine))
                    .distinct()
                    .toList();
        } catch (IllegalArgumentException e) {
            throw new ParameterException(
                    spec.commandLine(),
                    e.getMessage() + "; name machines here, and their addresses by 'pool add FOLDER MACHINE ADDRESS'",
                    e);
        }
        PoolAuthority.Issued made;
        List<Instant> ends = new ArrayList<>();
        try {
            made = PoolAuthority.create(name, Instant.now(), LIFE);
            PemFiles.folder(folder);
            PemFiles.write(folder, "ca", made);
            for (MachineFolder machine : folders) {
                ends.add(machine.make(machine.host(), List.of(), ALL, MachineFolder.DEFAULT_DAYS));
            }
        } catch (IOException e) {
            throw new CommandFailure(ExitCode.FAILED, String.valueOf(e.getMessage()), e);
        } catch (GeneralSecurityException e) {
            throw new CommandFailure(ExitCode.FAILED, "this Java makes no certificates: " + e.getMessage(), e);
        }
        PrintWriter out = spec.commandLine().getOut();
        out.println("made pool '" + name + "' in " + folder + ", good until "
                + ShownCertificate.day(made.certificate().getNotAfter().toInstant()));
        out.println("who has " + folder.resolve(PoolFolder.AUTHORITY_KEY)
                + " can join the pool: keep it, and copy it nowhere but to a safe");
        if (folders.isEmpty()) {
            out.println("next, for each machine:");
            out.println("  leap-nbd pool add " + MachineFolder.quoted(folder) + " MACHINE");
            return ExitCode.OK;
        }
        for (int i = 0; i < folders.size(); i++) {
            folders.get(i).sayMade(out, folders.get(i).host(), ALL, ends.get(i));
        }
        out.println("next:");
        for (MachineFolder machine : folders) {
            machine.sayCopy(out);
        }
        MachineFolder.sayUse(out, "a machine", ALL);
        out.println("the folders hold keys: once they are there, remove them here");
        return ExitCode.OK;
    }
}
