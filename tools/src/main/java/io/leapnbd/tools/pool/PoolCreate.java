package io.leapnbd.tools.pool;

import io.leapnbd.donor.store.Identity;
import io.leapnbd.donor.tls.PoolAuthority;
import io.leapnbd.tools.cli.CommandFailure;
import io.leapnbd.tools.cli.ExitCode;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.time.Duration;
import java.time.Instant;
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
        description = {"Makes a pool: a folder with the key and certificate of its authority.", ""})
public final class PoolCreate implements Callable<Integer> {

    /** To make a new pool means to visit every machine, so it is rare; machines' certificates end sooner. */
    private static final Duration LIFE = Duration.ofDays(3650);

    @Parameters(paramLabel = "FOLDER", description = "Is made, with mode 0700.")
    private Path folder = Path.of("");

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
        PoolAuthority.Issued made;
        try {
            made = PoolAuthority.create(name, Instant.now(), LIFE);
            PemFiles.folder(folder);
            PemFiles.write(folder, "ca", made);
        } catch (IOException e) {
            throw new CommandFailure(ExitCode.FAILED, String.valueOf(e.getMessage()), e);
        } catch (GeneralSecurityException e) {
            throw new CommandFailure(ExitCode.FAILED, "this Java makes no certificates: " + e.getMessage(), e);
        }
        PrintWriter out = spec.commandLine().getOut();
        out.println("made pool '" + name + "' in " + folder + ", good until "
                + PoolAdd.day(made.certificate().getNotAfter().toInstant()));
        out.println("who has " + folder.resolve(PoolFolder.AUTHORITY_KEY)
                + " can join the pool: keep it, and copy it nowhere but to a safe");
        out.println("next, for each machine:");
        out.println("  leap-nbd pool add " + PoolAdd.quoted(folder) + " MACHINE");
        return ExitCode.OK;
    }
}
