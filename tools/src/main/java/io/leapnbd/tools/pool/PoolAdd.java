package io.leapnbd.tools.pool;

import io.leapnbd.donor.tls.Role;
import io.leapnbd.tools.cli.CommandFailure;
import io.leapnbd.tools.cli.ExitCode;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** {@code leap-nbd pool add}. */
@Command(
        name = "add",
        sortOptions = false,
        description = {
            "Makes a folder for one machine, in the pool's: certificates and keys to lend, to borrow, and to be a client.",
            ""
        })
public final class PoolAdd implements Callable<Integer> {

    private static final int MOST_DAYS = 3650;

    @Parameters(index = "0", paramLabel = "FOLDER", description = "The pool's, which 'pool create' has made.")
    private Path pool = Path.of("");

    @Parameters(
            index = "1",
            paramLabel = "MACHINE",
            description = "Its host name, which is the name of the folder as well.")
    private String machine = "";

    @Parameters(
            index = "2..*",
            arity = "0..*",
            paramLabel = "ADDRESS",
            description = "Other names and addresses by which clients of NBD over TLS reach it.")
    private List<String> addresses = List.of();

    @Option(
            names = "--identity",
            paramLabel = "NAME",
            description =
                    "Whose exports it has. Machines with the same one can take each other's exports over, like a stand-by."
                            + " Default: the machine's name.")
    private @Nullable String identity;

    @Option(
            names = "--role",
            paramLabel = "ROLE",
            description = "donor, server or client: make only what that needs; may be repeated. Default: all.")
    private List<String> roles = List.of();

    @Option(
            names = "--days",
            paramLabel = "N",
            defaultValue = "" + MachineFolder.DEFAULT_DAYS,
            description = "How long the certificates are good for: 1 to 3650 days. Default: ${DEFAULT-VALUE}.")
    private int days = MachineFolder.DEFAULT_DAYS;

    @Spec
    private CommandSpec spec = CommandSpec.create();

    /** For picocli. */
    public PoolAdd() {}

    @Override
    public Integer call() {
        MachineFolder folder;
        try {
            folder = MachineFolder.of(pool, machine);
        } catch (IllegalArgumentException e) {
            throw new ParameterException(spec.commandLine(), e.getMessage() + "; addresses come behind it", e);
        }
        require(days >= 1 && days <= MOST_DAYS, "--days: " + days + " is not in 1.." + MOST_DAYS);
        for (String address : addresses) {
            require(MachineFolder.isAddress(address), "'" + address + "' is neither a host name nor an address");
        }
        List<Role> wanted = wanted();
        String name = identity == null ? folder.host() : identity;
        Instant ends;
        try {
            ends = folder.make(name, addresses, wanted, days);
        } catch (IllegalArgumentException e) {
            throw new ParameterException(spec.commandLine(), String.valueOf(e.getMessage()), e);
        } catch (IOException e) {
            throw new CommandFailure(ExitCode.FAILED, String.valueOf(e.getMessage()), e);
        } catch (GeneralSecurityException e) {
            throw new CommandFailure(ExitCode.FAILED, "no certificate can be made: " + e.getMessage(), e);
        }
        PrintWriter out = spec.commandLine().getOut();
        folder.sayMade(out, name, wanted, ends);
        out.println("next:");
        folder.sayCopy(out);
        MachineFolder.sayUse(out, folder.host(), wanted);
        out.println("the folder holds keys: once it is there, remove it here");
        return ExitCode.OK;
    }

    private List<Role> wanted() {
        if (roles.isEmpty()) {
            return List.of(Role.values());
        }
        List<Role> wanted = new ArrayList<>();
        for (String label : roles) {
            Role found = null;
            for (Role role : Role.values()) {
                found = role.label().equals(label) ? role : found;
            }
            if (found == null) {
                throw new ParameterException(
                        spec.commandLine(), "--role: '" + label + "' is none of donor, server and client");
            }
            wanted.add(found);
        }
        return wanted;
    }

    private void require(boolean right, String message) {
        if (!right) {
            throw new ParameterException(spec.commandLine(), message);
        }
    }
}
